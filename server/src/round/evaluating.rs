//! Evaluating: the gate that a candidate has to pass.

use emofed::protocol::{BlobRef, ModelOrigin, ModelVersion};
use emofed::weights::Weights;

use super::{Classroom, load, next_version};
use crate::error::ServeError;
use crate::store::{Phase, RoundRecord};

/// Decides whether a candidate may become the central model.
pub trait Gate: Send + Sync {
    /// # Errors
    /// The reason, in words, why it may not.
    fn check(&self, base: &Weights, candidate: &Weights) -> Result<(), String>;
}

/// Where there is no held-out set: finite, and not further from the base than a single update may be. A mean of updates that
/// passed validation always is; a damaged disk or a mistake of ours is caught.
pub struct SanityGate {
    /// Largest Euclidean norm of the change.
    pub max_norm: f64,
}

impl Gate for SanityGate {
    fn check(&self, base: &Weights, candidate: &Weights) -> Result<(), String> {
        candidate.check_same_layout(base).map_err(|error| error.to_string())?;
        candidate.check_finite().map_err(|error| error.to_string())?;
        let mut change = candidate.clone();
        for ((_, changed), (_, base)) in change.iter_mut().zip(base.iter()) {
            changed.values.iter_mut().zip(&base.values).for_each(|(changed, base)| *changed -= base);
        }
        // Rounding to f32 may add a little.
        let (norm, most) = (change.norm(), self.max_norm * 1.001);
        if norm > most { Err(format!("the model would move by {norm:.3}, more than {most:.3}")) } else { Ok(()) }
    }
}

impl Classroom {
    /// Lets the candidate through the gate.
    pub(super) fn evaluate(
        &self,
        round: &RoundRecord,
        candidate: &BlobRef,
        clients: u32,
        clips: u64,
    ) -> Result<Phase, ServeError> {
        let base = self.head()?;
        let result = self.gate.check(&*load(&self.records, &base.vfer)?, &*load(&self.records, candidate)?);
        if let Err(reason) = result {
            return Ok(Phase::Rejected { reason });
        }
        let model = ModelVersion {
            version: next_version(&self.records.models()?),
            parent: Some(base.version),
            origin: ModelOrigin::Federated,
            round: Some(round.id),
            clients,
            clips,
            published_at_s: self.clock.now_s(),
            backbone_sha256: self.backbone.blob.sha256.clone(),
            vfer: candidate.clone(),
        };
        let phase = Phase::Published { version: model.version };
        self.records.publish(&model, &RoundRecord { phase: phase.clone(), ..round.clone() })?;
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
        let gate = SanityGate { max_norm: 1.0 };
        let base = weights([1.0, 1.0]);
        assert_eq!(gate.check(&base, &weights([1.5, 1.5])), Ok(()));
        assert!(gate.check(&base, &weights([3.0, 1.0])).unwrap_err().contains("move"));
        assert!(gate.check(&base, &weights([f32::NAN, 1.0])).unwrap_err().contains("`a`"));
    }
}
