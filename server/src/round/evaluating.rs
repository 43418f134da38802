//! Evaluating: the acceptance check that a candidate has to pass.

use emofed::learning::Strategy;
use emofed::protocol::{AcceptanceReport, BlobRef, MINIMUM_CONTRIBUTORS, ModelOrigin, Rejection};
use emofed::weights::{Weights, WeightsError};

use super::state::State;
use super::{Federation, FederationConfig, RoundError, load};
use crate::store::{ModelRecord, Phase, RoundRecord};

/// Decides whether a candidate may become the global model.
pub trait AcceptanceCheck: Send + Sync {
    /// Compares a candidate with the model that it would replace; gives what was measured, if anything was.
    ///
    /// # Errors
    /// Why it may not.
    fn check(&self, base: &Weights, candidate: &Weights) -> Result<Option<AcceptanceReport>, Rejection>;
}

/// Where there is no held-out set: finite, and not further from the base than a single update may be. A mean of updates that
/// passed validation always is; a damaged disk or a mistake of ours is caught.
#[derive(Clone, Copy, Debug)]
pub struct SanityCheck {
    /// Largest Euclidean norm of the change.
    pub max_norm: f64,
}

impl SanityCheck {
    /// Largest change that another strategy than FedAvg may make of updates within their limit.
    const MAX_STRATEGY_NORM: f64 = 10.0;

    /// The check for a federation without a held-out set.
    pub fn for_federation(config: &FederationConfig) -> Self {
        match config.strategy {
            Strategy::FedAvg => Self { max_norm: config.limits.max_norm },
            _ => Self { max_norm: config.limits.max_norm.max(Self::MAX_STRATEGY_NORM) },
        }
    }
}

impl AcceptanceCheck for SanityCheck {
    fn check(&self, base: &Weights, candidate: &Weights) -> Result<Option<AcceptanceReport>, Rejection> {
        candidate.check_same_layout(base).map_err(|error| misfit(&error))?;
        candidate.check_finite().map_err(|error| misfit(&error))?;
        let mut change = candidate.clone();
        for ((_, changed), (_, base)) in change.iter_mut().zip(base.iter()) {
            changed.values.iter_mut().zip(&base.values).for_each(|(changed, base)| *changed -= base);
        }
        // Rounding to f32 may add a little.
        let (found, limit) = (change.norm(), self.max_norm * 1.001);
        if found > limit {
            return Err(Rejection::Norm { found, limit });
        }
        Ok(None)
    }
}

/// The rejection of a candidate whose tensors do not fit its base.
pub(crate) fn misfit(error: &WeightsError) -> Rejection {
    match error {
        WeightsError::NotFinite { name, .. } => Rejection::NotFinite { tensor: name.clone() },
        error => Rejection::Layout { tensor: error.tensor().map(str::to_owned) },
    }
}

impl Federation {
    /// Publishes the candidate if it passes the acceptance check.
    pub(super) fn evaluate(
        &self,
        state: &mut State,
        round: &RoundRecord,
        candidate: &BlobRef,
        num_clients: u32,
        num_examples: u64,
        strategy_state: Option<&BlobRef>,
    ) -> Result<Phase, RoundError> {
        if num_clients < self.fewest_contributors() {
            return Ok(Phase::Abandoned);
        }
        let base = state.latest_model.clone();
        let before = load(&self.records, &base.vfer)?;
        let acceptance_report = match self.acceptance.check(&before, &*load(&self.records, candidate)?) {
            Ok(report) => report,
            Err(reason) => return Ok(Phase::Rejected { reason }),
        };
        let model = ModelRecord {
            version: state.newest_version + 1,
            parent: Some(base.version),
            origin: ModelOrigin::Federated,
            round: Some(round.id),
            num_clients,
            num_examples: (num_clients >= MINIMUM_CONTRIBUTORS).then_some(num_examples),
            published_at_s: self.clock.now_s(),
            backbone_sha256: self.backbone.blob.sha256.clone(),
            architecture: base.architecture.clone(),
            vfer: candidate.clone(),
            acceptance_report,
            card: None,
            strategy_state: strategy_state.cloned(),
        };
        let phase = Phase::Published { version: model.version };
        let ended = RoundRecord { phase: phase.clone(), received: Some(state.received), ..round.clone() };
        self.records.publish(&model, &ended)?;
        state.newest_version = model.version;
        state.latest_model = model;
        Ok(phase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use emofed::weights::Tensor;

    fn weights(values: [f32; 2]) -> Weights {
        let mut weights = Weights::new();
        weights.insert("a", Tensor::new([2], values.to_vec()));
        weights
    }

    #[test]
    fn only_a_finite_small_step_passes() {
        let check = SanityCheck { max_norm: 1.0 };
        let base = weights([1.0, 1.0]);
        assert_eq!(check.check(&base, &weights([1.5, 1.5])), Ok(None));
        assert!(check.check(&base, &weights([3.0, 1.0])).unwrap_err().to_string().contains("move"));
        assert!(check.check(&base, &weights([f32::NAN, 1.0])).unwrap_err().to_string().contains("`a`"));
    }
}
