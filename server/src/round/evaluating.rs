//! Evaluating: the acceptance check that a candidate has to pass.

use emofed::learning::Strategy;
use emofed::protocol::{AbandonReason, AcceptanceReport, MINIMUM_CONTRIBUTORS, ModelOrigin, Rejection};
use emofed::weights::{Weights, WeightsError};

use super::state::State;
use super::{Federation, RoundError, load};
use crate::store::{Candidate, ModelRecord, Phase, RoundRecord};

/// Decides whether a candidate may become the global model.
pub trait AcceptanceCheck: Send + Sync {
    /// Compares a candidate that `strategy` made with the model that it would replace; gives what was measured, if anything
    /// was.
    ///
    /// # Errors
    /// Why it may not.
    fn check(
        &self,
        base: &Weights,
        candidate: &Weights,
        strategy: &Strategy,
    ) -> Result<Option<AcceptanceReport>, Rejection>;
}

/// Where there is no held-out set: finite, and not further from the base than the strategy can take it with updates that passed
/// validation. A damaged disk or a mistake of ours is caught.
#[derive(Clone, Copy, Debug)]
pub struct SanityCheck {
    /// Largest Euclidean norm of an update.
    pub max_norm: f64,
}

impl SanityCheck {
    /// Largest change that a server optimizer may make of updates within their limit, unless that is larger.
    const MAX_OPTIMIZER_NORM: f64 = 10.0;
}

impl AcceptanceCheck for SanityCheck {
    fn check(
        &self,
        base: &Weights,
        candidate: &Weights,
        strategy: &Strategy,
    ) -> Result<Option<AcceptanceReport>, Rejection> {
        let change = candidate.subtract(base).map_err(|error| misfit(&error))?;
        candidate.check_finite().map_err(|error| misfit(&error))?;
        // Rounding to f32 may add a little.
        let largest = strategy.largest_change(self.max_norm).unwrap_or(self.max_norm.max(Self::MAX_OPTIMIZER_NORM));
        let (found, limit) = (change.norm(), largest * 1.001);
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
        candidate: &Candidate,
    ) -> Result<Phase, RoundError> {
        let &Candidate { ref weights, num_clients, num_examples, class_metrics, loss_increased, .. } = candidate;
        let needed = self.fewest_contributors();
        if num_clients < needed {
            return Ok(Phase::Abandoned { reason: AbandonReason::TooFewUpdates { found: num_clients, needed } });
        }
        if let Some(clients) = loss_increased
            && let Some(phase) = self.roll_back(state, round, clients)?
        {
            return Ok(phase);
        }
        let base = state.latest_model.clone();
        let before = load(&self.records, &base.vfer)?;
        let acceptance_report =
            match self.acceptance.check(&before, &*load(&self.records, weights)?, &self.strategy_of(round)) {
                Ok(report) => report,
                Err(reason) => return Ok(Phase::Rejected { reason }),
            };
        let model = ModelRecord {
            version: state.next_version(),
            parent: Some(base.version),
            origin: ModelOrigin::Federated,
            round: Some(round.id),
            num_clients,
            num_examples: (num_clients >= MINIMUM_CONTRIBUTORS).then_some(num_examples),
            published_at_s: self.clock.now_s(),
            backbone_sha256: self.backbone.blob.sha256.clone(),
            architecture: base.architecture.clone(),
            vfer: weights.clone(),
            difference: candidate.difference.clone(),
            class_metrics,
            acceptance_report,
            card: None,
            strategy_state: candidate.strategy_state.clone(),
        };
        let phase = Phase::Published { version: model.version };
        let ended = RoundRecord { phase: phase.clone(), received: Some(state.received), ..round.clone() };
        state.newest = Some(self.records.insert_model(state.newest.as_ref(), &model, Some((round, &ended)))?);
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
        let (base, mean) = (weights([1.0, 1.0]), Strategy::default());
        assert_eq!(check.check(&base, &weights([1.5, 1.5]), &mean), Ok(None));
        assert!(check.check(&base, &weights([3.0, 1.0]), &mean).unwrap_err().to_string().contains("move"));
        assert!(check.check(&base, &weights([f32::NAN, 1.0]), &mean).unwrap_err().to_string().contains("`a`"));
    }

    #[test]
    fn the_strategy_decides_how_far_a_model_may_move() {
        let check = SanityCheck { max_norm: 1.0 };
        let passes = |strategy: &str, step: f32| {
            let strategy = serde_json::from_str(strategy).unwrap();
            check.check(&weights([0.0, 0.0]), &weights([step, 0.0]), &strategy).is_ok()
        };
        assert!(passes(r#"{"name":"fedavgm","momentum":0.9}"#, 9.9) && !passes(r#"{"name":"fedavg"}"#, 1.1));
        assert!(passes(r#"{"name":"median"}"#, 1.41) && !passes(r#"{"name":"median"}"#, 1.42));
        let clipped = r#"{"name":"fedavg","clip_norm":0.5}"#;
        assert!(passes(clipped, 0.5) && !passes(clipped, 0.51));
    }
}
