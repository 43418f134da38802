//! A client update as it came: checked and summed without decoding its tensors as a whole.

use serde::{Deserialize, Serialize};

use super::update::METADATA_KEY;
use super::{ClientMetrics, UpdateError, UpdateLimits};
use crate::weights::{EncodedWeights, FiniteWeights, Scales, Weights};

/// Strict, unlike answers of the aggregator: an update with a field that is not understood could mean something else, and
/// nothing else may leave a tab.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub round: u64,
    pub base_version: u64,
    /// `clips` in bodies that were stored before protocol 2.
    #[serde(alias = "clips")]
    pub num_examples: u32,
    /// Absent unless the student has opted in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<ClientMetrics>,
    /// Of tensors in eight bits; absent with others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scales: Option<Scales>,
}

impl Header {
    pub fn of(body: &[u8]) -> Result<Self, UpdateError> {
        let metadata = Weights::metadata(body)?;
        let json = metadata.get(METADATA_KEY).ok_or_else(|| UpdateError::Header("it is missing".into()))?;
        let header = serde_json::from_str(json).map_err(|error| UpdateError::Header(error.to_string()))?;
        if metadata.len() > 1 {
            return Err(UpdateError::Header("there is other metadata beside it".into()));
        }
        Ok(header)
    }
}

/// A body whose headers were read. `D` is what is known of its delta: [`EncodedWeights`] at first, [`FiniteWeights`] after
/// [`Self::check`].
#[derive(Clone, Debug)]
pub struct EncodedUpdate<D> {
    /// The round it is for.
    pub round: u64,
    /// The model version that `delta` is relative to.
    pub base_version: u64,
    /// How many clips it was trained on.
    pub num_examples: u32,
    /// How labelling goes in the tab, if the student has opted in to telling.
    pub metrics: Option<ClientMetrics>,
    /// Tuned minus base.
    pub delta: D,
}

impl<B: AsRef<[u8]>> EncodedUpdate<EncodedWeights<B>> {
    /// Reads the headers of a body.
    ///
    /// # Errors
    /// [`UpdateError::Weights`] or [`UpdateError::Header`].
    pub fn parse(body: B) -> Result<Self, UpdateError> {
        let Header { round, base_version, num_examples, metrics, scales } = Header::of(body.as_ref())?;
        let delta = EncodedWeights::parse(body, scales.as_ref())?;
        Ok(Self { round, base_version, num_examples, metrics, delta })
    }

    /// Checks the delta against the model that it is to move: layout and finiteness.
    ///
    /// # Errors
    /// [`UpdateError::Weights`].
    pub fn check(self, base: &Weights) -> Result<EncodedUpdate<FiniteWeights<B>>, UpdateError> {
        let Self { round, base_version, num_examples, metrics, delta } = self;
        Ok(EncodedUpdate { round, base_version, num_examples, metrics, delta: delta.finite(base)? })
    }
}

impl<B: AsRef<[u8]>> EncodedUpdate<FiniteWeights<B>> {
    /// Checks what the update claims and how far it moves the model.
    ///
    /// # Errors
    /// The first rule it breaks: number of examples, norm, bounds of metrics.
    pub fn check_limits(&self, limits: &UpdateLimits) -> Result<(), UpdateError> {
        if self.num_examples == 0 || self.num_examples > limits.max_examples {
            return Err(UpdateError::NumExamples { found: self.num_examples, limit: limits.max_examples });
        }
        let norm = self.delta.norm();
        if norm > limits.max_norm {
            return Err(UpdateError::Norm { found: norm, limit: limits.max_norm });
        }
        self.metrics.map_or(Ok(()), |metrics| metrics.check())
    }
}
