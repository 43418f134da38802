//! Which video models there are: the paper's LSTM, and larger ones of the same kind.

use serde::{Deserialize, Serialize};

use super::{FEATURES, HIDDEN};
use crate::emotion::EMOTIONS;
use crate::random::SplitMix64;
use crate::weights::{Tensor, Weights, WeightsError};

/// The name of the attention's only tensor.
pub(crate) const ATTENTION: &str = "attention.weight";

/// What a video model consists of: LSTM layers over a clip's features `[frames, FEATURES]`, a pooling over frames, and a
/// linear layer. Unknown values of a newer protocol are read as `Unknown`, so that a tab can say what it cannot run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VferArchitecture {
    /// The recurrence.
    pub kind: Recurrence,
    /// Length of one direction's hidden state.
    pub hidden_size: usize,
    /// LSTM layers, each on the hidden states of the one before.
    pub num_layers: usize,
    /// Whether each layer also runs from the last frame to the first, its hidden states behind those of the other direction.
    pub bidirectional: bool,
    /// How frames become one vector.
    pub pooling: Pooling,
}

/// What runs over the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recurrence {
    /// An LSTM as PyTorch defines it.
    #[default]
    Lstm,
    /// One that this version does not know.
    #[serde(other)]
    Unknown,
}

/// How the last layer's hidden states `[frames, outputs]` become one vector `[outputs]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The state after the last frame that each direction reads.
    #[default]
    Last,
    /// The mean over frames, weighted by the softmax of a learned score.
    Attention,
    /// One that this version does not know.
    #[serde(other)]
    Unknown,
}

/// Why an architecture cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchitectureError {
    /// Its recurrence or pooling is not known to this version.
    #[error("the video model's architecture is not known to this version")]
    Unknown,
    /// A size is out of bounds.
    #[error("{field} is {found}; it must be 1 to {limit}")]
    OutOfBounds {
        /// Which one.
        field: &'static str,
        /// Its value.
        found: usize,
        /// The largest that is allowed.
        limit: usize,
    },
}

impl Default for VferArchitecture {
    /// The paper's: one layer, one direction, the last hidden state. The paper does not give the size of the state.
    fn default() -> Self {
        Self {
            kind: Recurrence::Lstm,
            hidden_size: HIDDEN,
            num_layers: 1,
            bidirectional: false,
            pooling: Pooling::Last,
        }
    }
}

impl VferArchitecture {
    /// Largest [`Self::hidden_size`]: the gates of one clip fit the memory that a GPU's workgroup is sure to have (16 KiB).
    pub const MAX_HIDDEN_SIZE: usize = 512;
    /// Largest [`Self::num_layers`].
    pub const MAX_LAYERS: usize = 4;

    /// Whether this is the paper's, which the hand-written [`super::Vfer`] runs.
    pub fn is_paper(&self) -> bool {
        *self == Self::default()
    }

    /// Checks that this version can run it.
    ///
    /// # Errors
    /// [`ArchitectureError`].
    pub fn check(&self) -> Result<(), ArchitectureError> {
        if self.kind == Recurrence::Unknown || self.pooling == Pooling::Unknown {
            return Err(ArchitectureError::Unknown);
        }
        let sizes = [
            ("hidden_size", self.hidden_size, Self::MAX_HIDDEN_SIZE),
            ("num_layers", self.num_layers, Self::MAX_LAYERS),
        ];
        match sizes.into_iter().find(|(_, found, limit)| !(1..=*limit).contains(found)) {
            Some((field, found, limit)) => Err(ArchitectureError::OutOfBounds { field, found, limit }),
            None => Ok(()),
        }
    }

    /// Directions of a layer: 1 or 2.
    pub fn num_directions(&self) -> usize {
        1 + usize::from(self.bidirectional)
    }

    /// Values of a frame behind the last layer, and of a clip behind the pooling.
    pub fn num_outputs(&self) -> usize {
        self.hidden_size * self.num_directions()
    }

    /// Values of a frame that `layer` reads.
    pub(crate) fn num_inputs(&self, layer: usize) -> usize {
        if layer == 0 { FEATURES } else { self.num_outputs() }
    }

    /// Names and shapes of the tensors, as PyTorch's `nn.LSTM` and `nn.Linear` call them.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (hidden, gates) = (self.hidden_size, 4 * self.hidden_size);
        let mut tensors = Vec::new();
        for layer in 0..self.num_layers {
            for suffix in ["", "_reverse"].into_iter().take(self.num_directions()) {
                let name = |tensor: &str| format!("lstm.{tensor}_l{layer}{suffix}");
                tensors.push((name("weight_ih"), vec![gates, self.num_inputs(layer)]));
                tensors.push((name("weight_hh"), vec![gates, hidden]));
                tensors.push((name("bias_ih"), vec![gates]));
                tensors.push((name("bias_hh"), vec![gates]));
            }
        }
        if self.pooling == Pooling::Attention {
            tensors.push((ATTENTION.to_owned(), vec![1, self.num_outputs()]));
        }
        tensors.push(("head.weight".to_owned(), vec![EMOTIONS, self.num_outputs()]));
        tensors.push(("head.bias".to_owned(), vec![EMOTIONS]));
        tensors
    }

    /// The architecture of the video model that `weights` are, all of whose names and shapes are checked.
    ///
    /// # Errors
    /// A tensor is missing, misshapen or unknown, or the model is larger than allowed.
    pub fn of(weights: &Weights) -> Result<Self, WeightsError> {
        let has = |name: &str| weights.get(name).is_ok();
        let recurrent = weights.get("lstm.weight_hh_l0")?;
        let architecture = Self {
            kind: Recurrence::Lstm,
            hidden_size: recurrent.shape.last().copied().unwrap_or(0).clamp(1, Self::MAX_HIDDEN_SIZE),
            num_layers: (1..Self::MAX_LAYERS)
                .find(|layer| !has(&format!("lstm.weight_hh_l{layer}")))
                .unwrap_or(Self::MAX_LAYERS),
            bidirectional: has("lstm.weight_hh_l0_reverse"),
            pooling: if has(ATTENTION) { Pooling::Attention } else { Pooling::Last },
        };
        let tensors = architecture.tensors();
        if let Some((name, _)) = weights.iter().find(|(name, _)| tensors.iter().all(|(known, _)| known != name)) {
            return Err(WeightsError::Unexpected { name: name.to_owned() });
        }
        tensors.iter().try_for_each(|(name, shape)| weights.get_shaped(name, shape).map(|_| ()))?;
        Ok(architecture)
    }

    /// Fresh weights, uniform in ±1/√hidden_size as PyTorch starts them.
    pub fn random(&self, seed: u64) -> Weights {
        let mut random = SplitMix64::new(seed);
        let bound = (self.hidden_size as f32).sqrt().recip();
        let mut weights = Weights::new();
        for (name, shape) in self.tensors() {
            let values = (0..shape.iter().product()).map(|_| random.signed() * bound).collect();
            weights.insert(name, Tensor::new(shape, values));
        }
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::vfer::Vfer;

    fn large() -> VferArchitecture {
        VferArchitecture {
            hidden_size: 96,
            num_layers: 3,
            bidirectional: true,
            pooling: Pooling::Attention,
            ..VferArchitecture::default()
        }
    }

    #[test]
    fn weights_tell_their_architecture() {
        for architecture in [VferArchitecture::default(), large()] {
            assert_eq!(architecture.check(), Ok(()));
            assert_eq!(VferArchitecture::of(&architecture.random(1)), Ok(architecture));
        }
        assert!(Vfer::from_weights(&VferArchitecture::default().random(1)).is_ok());
        assert_eq!(VferArchitecture::of(&Vfer::random(1).to_weights()), Ok(VferArchitecture::default()));
    }

    #[test]
    fn a_tensor_too_many_too_few_or_misshapen_is_named() {
        let mut extra = large().random(1);
        extra.insert("lstm.weight_hh_l3", Tensor::new([1], vec![0.0]));
        assert!(VferArchitecture::of(&extra).is_err());
        let mut unknown = large().random(1);
        unknown.insert("other", Tensor::new([1], vec![0.0]));
        assert!(matches!(VferArchitecture::of(&unknown), Err(WeightsError::Unexpected { name }) if name == "other"));
        let mut misshapen = large().random(1);
        misshapen.insert("head.weight", Tensor::new([6, 96], vec![0.0; 6 * 96]));
        assert!(matches!(VferArchitecture::of(&misshapen), Err(WeightsError::Shape { .. })));
        assert!(VferArchitecture::of(&Weights::new()).is_err());
    }

    #[test]
    fn a_manifest_of_a_newer_version_is_read_and_refused_in_words() {
        let parse = |json: &str| serde_json::from_str::<VferArchitecture>(json).unwrap();
        assert_eq!(parse("{}"), VferArchitecture::default());
        assert_eq!(parse(r#"{ "kind": "transformer", "heads": 8 }"#).check(), Err(ArchitectureError::Unknown));
        assert_eq!(parse(r#"{ "pooling": "max" }"#).check(), Err(ArchitectureError::Unknown));
        let huge = parse(r#"{ "hidden_size": 100000 }"#).check();
        assert!(matches!(huge, Err(ArchitectureError::OutOfBounds { field: "hidden_size", .. })));
    }
}
