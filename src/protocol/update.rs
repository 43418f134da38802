//! The client update: the difference between a fine-tuned VFER and its base, and nothing else.

use std::collections::HashMap;

use super::ClientMetrics;
use super::encoded_update::Header;
use crate::learning::{LearningSettings, UpdateEncoding};
use crate::random::SplitMix64;
use crate::weights::{Int8Weights, Scales, Weights, WeightsError};

/// The one metadata entry of an update; its value is a [`Header`] as JSON.
pub(super) const METADATA_KEY: &str = "emofed.update";

/// What a participant sends in a round.
///
/// ```
/// use emofed::learning::UpdateEncoding;
/// use emofed::model::vfer::Vfer;
/// use emofed::protocol::{ClientUpdate, EncodedUpdate, UpdateLimits};
///
/// let model = Vfer::random(1).to_weights();
/// let update = ClientUpdate { round: 7, base_version: 3, num_examples: 12, metrics: None, delta: Vfer::random(2).to_weights() };
/// let body = update.encode();
/// assert_eq!(ClientUpdate::decode(&body)?, update);
///
/// // One byte a value: a quarter of the size, rounded.
/// let small = update.encode_as(UpdateEncoding::Int8, 1);
/// assert!(small.len() < body.len() / 3);
/// let limits = UpdateLimits { max_norm: 50.0, ..UpdateLimits::default() };
/// EncodedUpdate::parse(&small)?.check(&model)?.check_limits(&limits)?;
/// # Ok::<(), emofed::protocol::UpdateError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ClientUpdate {
    /// The round it is for.
    pub round: u64,
    /// The model version that `delta` is relative to.
    pub base_version: u64,
    /// How many clips it was trained on: its weight in the aggregation.
    pub num_examples: u32,
    /// How labelling goes in the tab, if the student has opted in to telling.
    pub metrics: Option<ClientMetrics>,
    /// Tuned minus base, under the VFER's tensor names and shapes.
    pub delta: Weights,
}

/// Most clips that a tab keeps, and so most examples of an update. 200 clips of 30 frames are 6 MB.
pub const MAX_EXAMPLES: u32 = 200;

/// What an update may be at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UpdateLimits {
    /// Most examples that one participant may claim in a round.
    pub max_examples: u32,
    /// Largest Euclidean norm of the delta.
    pub max_norm: f64,
}

impl Default for UpdateLimits {
    fn default() -> Self {
        Self { max_examples: MAX_EXAMPLES, max_norm: 10.0 }
    }
}

impl UpdateLimits {
    /// What fine-tuning of a model of `values` values on at most `max_examples` clips can reach.
    ///
    /// One of Adam's steps moves a value by less than (1 − β₁) / √(1 − β₂) learning rates, 3.17 with its usual decays (Kingma
    /// and Ba 2015, section 2.1), whatever the gradients were; rounding to F16 adds less than a thousandth.
    pub fn reachable(learning: &LearningSettings, max_examples: u32, values: usize) -> Self {
        const RATES_A_STEP: f64 = 3.2;
        let steps = (max_examples as usize).div_ceil(learning.batch_size.max(1)) as f64 * f64::from(learning.epochs);
        Self { max_examples, max_norm: RATES_A_STEP * learning.learning_rate * steps * (values as f64).sqrt() }
    }
}

/// Why an update is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UpdateError {
    /// Its tensors are not those of the model.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Its header is absent or malformed.
    #[error("the update's header (metadata `{METADATA_KEY}`) is unusable: {0}")]
    Header(String),
    /// It claims no examples, or more than allowed.
    #[error("the update claims {found} examples; between 1 and {limit} are allowed")]
    NumExamples {
        /// What it claims.
        found: u32,
        /// Most that are allowed.
        limit: u32,
    },
    /// It moves the model further than allowed.
    #[error("the update's norm {found:.3} is above the limit of {limit:.3}")]
    Norm {
        /// Its Euclidean norm.
        found: f64,
        /// The largest allowed.
        limit: f64,
    },
    /// Its client metrics are out of their bounds.
    #[error("the update's client metrics are out of bounds")]
    Metrics,
}

impl ClientUpdate {
    /// The safetensors body, values in F32.
    pub fn encode(&self) -> Vec<u8> {
        self.delta.to_safetensors(Some(self.metadata(None)))
    }

    /// The safetensors body, values as `encoding` says; `seed` decides how [`UpdateEncoding::Int8`] rounds.
    pub fn encode_as(&self, encoding: UpdateEncoding, seed: u64) -> Vec<u8> {
        match encoding {
            UpdateEncoding::F32 => self.encode(),
            UpdateEncoding::F16 => self.delta.to_safetensors_f16(Some(self.metadata(None))),
            UpdateEncoding::Int8 => {
                let rounded = Int8Weights::round(&self.delta, &mut SplitMix64::new(seed));
                rounded.to_safetensors(Some(self.metadata(Some(rounded.scales().clone()))))
            }
        }
    }

    fn metadata(&self, scales: Option<Scales>) -> HashMap<String, String> {
        let Self { round, base_version, num_examples, metrics, .. } = *self;
        let header = Header { round, base_version, num_examples, metrics, scales };
        let json = serde_json::to_string(&header).expect("numbers and names always serialize");
        HashMap::from([(METADATA_KEY.to_owned(), json)])
    }

    /// Reads a body. What it says is not checked against any model: [`EncodedUpdate::check`] does that.
    ///
    /// # Errors
    /// [`UpdateError::Weights`] or [`UpdateError::Header`].
    pub fn decode(body: &[u8]) -> Result<Self, UpdateError> {
        let Header { round, base_version, num_examples, metrics, scales } = Header::of(body)?;
        let delta = match &scales {
            Some(scales) => Weights::from_int8(body, scales)?,
            None => Weights::from_safetensors(body)?,
        };
        Ok(Self { round, base_version, num_examples, metrics, delta })
    }

    /// Most bytes that an update of `model` can have: its values and generous room for the header.
    pub fn max_size(model: &Weights) -> usize {
        model.value_count() * 4 + model.len() * 512 + 4_096
    }
}

impl UpdateError {
    /// The tensor at fault, where there is one.
    pub fn tensor(&self) -> Option<&str> {
        match self {
            Self::Weights(error) => error.tensor(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::EncodedUpdate;
    use crate::weights::Tensor;

    fn model() -> Weights {
        let mut weights = Weights::new();
        weights.insert("head.bias", Tensor::new([2], vec![0.5, 0.25]));
        weights
    }

    fn validate(body: &[u8], model: &Weights, limits: &UpdateLimits) -> Result<(), UpdateError> {
        EncodedUpdate::parse(body)?.check(model)?.check_limits(limits)
    }

    fn update() -> ClientUpdate {
        ClientUpdate { round: 7, base_version: 3, num_examples: 12, metrics: None, delta: model() }
    }

    #[test]
    fn survives_a_round_trip() {
        let body = update().encode();
        assert_eq!(ClientUpdate::decode(&body).unwrap(), update());
        assert!(body.len() <= ClientUpdate::max_size(&model()));
    }

    #[test]
    fn metrics_travel_only_if_there_are_any() {
        let metrics = ClientMetrics { acceptance_rate: 0.75, class_balance: 0.5, loss_change: None };
        let with = ClientUpdate { metrics: Some(metrics), ..update() };
        assert_eq!(ClientUpdate::decode(&with.encode()).unwrap(), with);
        let header = |update: &ClientUpdate| Weights::metadata(&update.encode()).unwrap()[METADATA_KEY].clone();
        assert_eq!(header(&update()), r#"{"round":7,"base_version":3,"num_examples":12}"#);
        let wrong = ClientMetrics { acceptance_rate: 7.0, ..metrics };
        let limits = UpdateLimits { max_examples: 12, max_norm: 1.0 };
        let wrong = ClientUpdate { metrics: Some(wrong), ..update() };
        assert_eq!(validate(&wrong.encode(), &model(), &limits), Err(UpdateError::Metrics));
    }

    #[test]
    fn smaller_encodings_come_back_nearly_the_same() {
        let mut random = SplitMix64::new(1);
        let mut delta = Weights::new();
        delta.insert("lstm.weight_ih_l0", Tensor::new([512, 256], (0..512 * 256).map(|_| random.signed()).collect()));
        let update = ClientUpdate { delta, ..update() };
        for (encoding, bytes, tolerance) in [
            (UpdateEncoding::F32, 4.0, 0.0),
            (UpdateEncoding::F16, 2.0, 5e-4),
            (UpdateEncoding::Int8, 1.0, 1.0 / 127.0),
        ] {
            let body = update.encode_as(encoding, 3);
            assert!((body.len() as f64 / update.delta.value_count() as f64 - bytes).abs() < 0.01, "{encoding:?}");
            let read = ClientUpdate::decode(&body).unwrap();
            assert_eq!((read.round, read.base_version, read.num_examples), (7, 3, 12));
            let pairs = read.delta.iter().zip(update.delta.iter()).flat_map(|((_, a), (_, b))| {
                a.values.iter().zip(&b.values).map(|(a, b)| (a - b).abs()).collect::<Vec<_>>()
            });
            assert!(pairs.fold(0.0, f32::max) <= tolerance, "{encoding:?}");
            assert_eq!(body, update.encode_as(encoding, 3), "the same seed, the same bytes");
        }
        assert_ne!(update.encode_as(UpdateEncoding::Int8, 3), update.encode_as(UpdateEncoding::Int8, 4));
    }

    #[test]
    fn a_norm_that_training_reached_is_within_the_limit_in_every_encoding() {
        // Every value moved as far as it can, some a little less: the worst case for rounding.
        let learning = LearningSettings::default();
        let most = 3.17 * learning.learning_rate as f32;
        let mut random = SplitMix64::new(1);
        let mut delta = Weights::new();
        delta.insert("w", Tensor::new([200_000], (0..200_000).map(|_| most * random.signed().signum()).collect()));
        let limits = UpdateLimits::reachable(&learning, learning.batch_size as u32, 200_000);
        let update = ClientUpdate { num_examples: 1, delta, ..update() };
        for encoding in [UpdateEncoding::F32, UpdateEncoding::F16, UpdateEncoding::Int8] {
            assert_eq!(validate(&update.encode_as(encoding, 1), &update.delta, &limits), Ok(()), "{encoding:?}");
        }
    }

    #[test]
    fn refuses_a_body_without_header_or_with_more() {
        assert!(matches!(ClientUpdate::decode(&model().to_safetensors(None)), Err(UpdateError::Header(_))));
        let header = r#"{"round":1,"base_version":1,"num_examples":1}"#.to_owned();
        let more = HashMap::from([(METADATA_KEY.to_owned(), header), ("note".to_owned(), "hello".to_owned())]);
        assert!(matches!(ClientUpdate::decode(&model().to_safetensors(Some(more))), Err(UpdateError::Header(_))));
    }

    #[test]
    fn a_header_of_protocol_1_is_read() {
        let header = r#"{"round":7,"base_version":3,"clips":12}"#.to_owned();
        let body = model().to_safetensors(Some(HashMap::from([(METADATA_KEY.to_owned(), header)])));
        assert_eq!(ClientUpdate::decode(&body).unwrap(), update());
        let both = r#"{"round":7,"base_version":3,"clips":12,"num_examples":12}"#.to_owned();
        let body = model().to_safetensors(Some(HashMap::from([(METADATA_KEY.to_owned(), both)])));
        assert!(matches!(ClientUpdate::decode(&body), Err(UpdateError::Header(_))), "one number of examples");
    }

    #[test]
    fn the_norm_limit_is_what_training_can_reach() {
        let limits = UpdateLimits::reachable(&LearningSettings::default(), MAX_EXAMPLES, 198_406);
        assert!((0.2..0.5).contains(&limits.max_norm), "{}", limits.max_norm);
        assert_eq!(limits.max_examples, 200);
    }

    #[test]
    fn validates_examples_norm_and_tensors() {
        let limits = UpdateLimits { max_examples: 12, max_norm: 1.0 };
        let validated = |update: &ClientUpdate| validate(&update.encode(), &model(), &limits);
        assert_eq!(validated(&update()), Ok(()));
        let none = ClientUpdate { num_examples: 0, ..update() };
        assert_eq!(validated(&none), Err(UpdateError::NumExamples { found: 0, limit: 12 }));
        let mut far = update();
        far.delta.insert("head.bias", Tensor::new([2], vec![3.0, 4.0]));
        assert_eq!(validated(&far), Err(UpdateError::Norm { found: 5.0, limit: 1.0 }));
        far.delta.insert("head.bias", Tensor::new([2], vec![f32::NAN, 4.0]));
        assert_eq!(validated(&far).unwrap_err().tensor(), Some("head.bias"));
    }
}
