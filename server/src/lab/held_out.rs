//! The acceptance check on a held-out set: a candidate that names people's clips worse than the model before it is rejected.

use std::sync::{Mutex, PoisonError};

use emofed::learning::Strategy;
use emofed::model::vfer::VferArchitecture;
use emofed::protocol::{AcceptanceReport, Rejection};
use emofed::weights::Weights;

use super::dataset::{Dataset, RatedClip};
use super::metrics::Metrics;
use super::video_model::{Compute, VideoModel};
use crate::round::{AcceptanceCheck, SanityCheck, misfit};

/// Measures every candidate on rated clips that no tab has seen.
pub struct HeldOutCheck {
    dataset: String,
    clips: Vec<RatedClip>,
    /// How much macro F1, 0 to 1, may fall in a round.
    tolerance: f64,
    sanity: SanityCheck,
    /// What was measured last: after a round, the candidate is the next round's base.
    last: Mutex<Option<(Weights, Metrics)>>,
}

impl HeldOutCheck {
    /// Uses all clips of `dataset`.
    pub fn new(dataset: Dataset, tolerance: f64, sanity: SanityCheck) -> Self {
        Self { dataset: dataset.provenance.set, clips: dataset.clips, tolerance, sanity, last: Mutex::default() }
    }

    fn measure(&self, weights: &Weights) -> Result<Metrics, Rejection> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, metrics)) = last.as_ref().filter(|(measured, _)| measured == weights) {
            return Ok(metrics.clone());
        }
        let clips: Vec<&RatedClip> = self.clips.iter().collect();
        VferArchitecture::of(weights).map_err(|error| misfit(&error))?;
        let model = VideoModel::load(weights, &Compute::Cpu);
        let metrics = model.and_then(|model| model.evaluate(&clips));
        let metrics = metrics.map_err(|_| Rejection::Loss { dataset: self.dataset.clone() })?;
        *last = Some((weights.clone(), metrics.clone()));
        Ok(metrics)
    }
}

impl AcceptanceCheck for HeldOutCheck {
    fn check(
        &self,
        base: &Weights,
        candidate: &Weights,
        strategy: &Strategy,
    ) -> Result<Option<AcceptanceReport>, Rejection> {
        self.sanity.check(base, candidate, strategy)?;
        let (before, after) = (self.measure(base)?, self.measure(candidate)?);
        let dataset = || self.dataset.clone();
        if !after.loss.is_finite() {
            return Err(Rejection::Loss { dataset: dataset() });
        }
        let (before_f1, found) = (before.macro_f1, after.macro_f1);
        if found < before_f1 - self.tolerance {
            let tolerance = self.tolerance;
            return Err(Rejection::MacroF1 { dataset: dataset(), before: before_f1, found, tolerance });
        }
        Ok(Some(AcceptanceReport {
            dataset: dataset(),
            clips: after.clips,
            macro_f1_before: before.macro_f1,
            macro_f1_after: after.macro_f1,
            loss_before: before.loss,
            loss_after: after.loss,
        }))
    }
}

#[cfg(test)]
mod tests {
    use emofed::learning::LearningSettings;
    use emofed::model::vfer::Vfer;
    use emofed::protocol::UpdateLimits;

    use super::*;
    use crate::lab::simulated_federation::{SimulatedFederation, fine_tune};
    use crate::lab::synthetic::{SyntheticSettings, generate};
    use crate::lab::train::{TrainSettings, evaluate, train};

    #[test]
    fn the_lineage_holds_what_was_measured() {
        let dataset = generate(&SyntheticSettings {
            subjects: 2,
            clips_per_subject: 6,
            frames: 8,
            ..SyntheticSettings::default()
        });
        let base = Vfer::random(1);
        let learning = LearningSettings { confidence_threshold: 0.0, ..LearningSettings::default() };
        let limits = UpdateLimits::default();
        let check = Box::new(HeldOutCheck::new(dataset.clone(), 1.0, SanityCheck { max_norm: 10.0 }));
        let weights = base.to_weights();
        let federation =
            SimulatedFederation::with_acceptance_check(&weights, &learning, limits, Strategy::default(), check)
                .unwrap();
        let clips: Vec<&RatedClip> = dataset.clips.iter().collect();
        federation.round(3, &|_, update| update.encode(), |_, base| fine_tune(base, &clips, &learning)).unwrap();
        let version = federation.version();
        let report = version.acceptance_report.unwrap();
        assert_eq!((version.version, report.clips), (2, 12));
        assert!((report.loss_before - evaluate(&base, &clips).loss).abs() < 1e-9);
        assert!(report.loss_after != report.loss_before);
    }

    #[test]
    fn a_better_model_passes_with_its_figures_and_a_worse_one_is_rejected() {
        let dataset = generate(&SyntheticSettings {
            subjects: 6,
            clips_per_subject: 18,
            frames: 8,
            ..SyntheticSettings::default()
        });
        let clips: Vec<&RatedClip> = dataset.clips.iter().collect();
        let settings = TrainSettings { learning_rate: 1e-3, epochs: 25, batch_size: 8, ..TrainSettings::default() };
        let good = train(&clips, &clips, &settings, &Compute::Cpu, |_| {}).unwrap().weights;
        let fresh = Vfer::random(settings.seed).to_weights();
        let check = HeldOutCheck::new(dataset.clone(), 0.02, SanityCheck { max_norm: 1e6 });
        let passed = check.check(&fresh, &good, &Strategy::default()).unwrap().unwrap();
        assert!(
            passed.macro_f1_after > passed.macro_f1_before + 0.2 && passed.loss_after < passed.loss_before,
            "{passed:?}"
        );
        assert_eq!((passed.dataset.as_str(), passed.clips as usize), ("synthetic", dataset.clips.len()));
        assert!(check.check(&good, &fresh, &Strategy::default()).unwrap_err().to_string().contains("fall"));
        assert!(check.check(&good, &good, &Strategy::default()).is_ok());
    }
}
