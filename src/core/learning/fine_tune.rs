//! Local fine-tuning of the global VFER on a tab's own clips.

use std::cell::OnceCell;

use super::{
    Adam, AdamSettings, Batches, CheckpointError, Clip, FineTuneCheckpoint, LearningError, LearningSettings, Moments,
    RunDigest, Trainer, check_clips,
};
use crate::emotion::EMOTIONS;
use crate::model::vfer::{Parameters, Vfer};
use crate::weights::Weights;

/// A fine-tuning run, step by step, so that a tab can do other things in between.
///
/// The same base, clips and settings give the same bits.
///
/// ```
/// use emofed_core::learning::{Clip, FineTune, LearningSettings};
/// use emofed_core::model::vfer::{FEATURES, Vfer};
///
/// let base = Vfer::random(1);
/// let happiness = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
/// let clips = vec![Clip { features: vec![0.1; 8 * FEATURES], target: happiness }; 12];
/// let settings = LearningSettings { learning_rate: 1e-3, ..LearningSettings::default() };
///
/// let mut tuning = FineTune::new(&base, clips.clone(), &settings)?;
/// while let Some(report) = tuning.step()? {
///     assert_eq!(report.steps, 2, "one epoch of 12 clips, 8 a step");
/// }
/// let happiness_of = |vfer: &Vfer| vfer.probabilities(&clips[0].features)[3];
/// assert!(happiness_of(tuning.tuned()) > happiness_of(&base));
/// assert!(tuning.finish().norm() > 0.0); // the update: tuned minus base
/// # Ok::<(), emofed_core::learning::LearningError>(())
/// ```
pub struct FineTune {
    base: Parameters,
    trainer: Trainer,
    clips: Vec<Clip>,
    /// The clips' targets from before distillation.
    targets: Vec<[f32; EMOTIONS]>,
    batches: Batches,
    settings: LearningSettings,
    /// Computed when it is first asked for: hashing all clips takes a while.
    run: OnceCell<RunDigest>,
    /// μ of the proximal term.
    proximal: f32,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Steps done.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Loss of the step's batch, before the step.
    pub loss: f32,
}

impl FineTune {
    /// Gets ready to train a copy of `base` on `clips`.
    ///
    /// # Errors
    /// There are no clips, or one is not usable.
    pub fn new(base: &Vfer, mut clips: Vec<Clip>, settings: &LearningSettings) -> Result<Self, LearningError> {
        check_clips(&clips)?;
        let targets = clips.iter().map(|clip| clip.target).collect();
        if settings.distillation > 0.0 {
            distil(base, &mut clips, settings.distillation as f32);
        }
        Ok(Self {
            base: base.parameters.clone(),
            trainer: Trainer::new(base.clone(), adam_settings(settings)),
            batches: Batches::new(clips.len(), settings),
            clips,
            targets,
            settings: settings.clone(),
            run: OnceCell::new(),
            proximal: settings.proximal as f32,
        })
    }

    /// Goes on from `checkpoint` of a run with the same base, clips and settings: what follows is the same to the bit as if the
    /// run had not been interrupted.
    ///
    /// # Errors
    /// [`LearningError::Checkpoint`] if it is of another run, or as [`Self::new`].
    pub fn resume(
        base: &Vfer,
        clips: Vec<Clip>,
        settings: &LearningSettings,
        checkpoint: FineTuneCheckpoint,
    ) -> Result<Self, LearningError> {
        let mut resumed = Self::new(base, clips, settings)?;
        checkpoint.check(resumed.run(), resumed.steps())?;
        let FineTuneCheckpoint { parameters, first_moments, second_moments, step, .. } = checkpoint;
        let read = |part| Parameters::from_weights(part).map_err(CheckpointError::from);
        let moments = Moments { first: read(&first_moments)?, second: read(&second_moments)? };
        resumed.batches = resumed.batches.skip(step);
        let adam = Adam::resume(adam_settings(settings), moments, step as i32);
        resumed.trainer = Trainer::resume(Vfer { parameters: read(&parameters)? }, adam);
        Ok(resumed)
    }

    /// The state after the steps done, for [`Self::resume`].
    pub fn checkpoint(&self) -> FineTuneCheckpoint {
        let Moments { first, second } = self.trainer.moments();
        FineTuneCheckpoint {
            parameters: self.tuned().to_weights(),
            first_moments: first.to_weights(),
            second_moments: second.to_weights(),
            step: self.done(),
            run: self.run().clone(),
        }
    }

    fn run(&self) -> &RunDigest {
        self.run.get_or_init(|| RunDigest::new(&self.base.to_weights(), &self.clips, &self.targets, &self.settings))
    }

    /// How many steps are done.
    pub fn done(&self) -> usize {
        self.batches.done()
    }

    /// How many steps there are in all.
    pub fn steps(&self) -> usize {
        self.batches.steps()
    }

    /// Does one step; `None` when there is none left.
    ///
    /// # Errors
    /// [`LearningError::Diverged`].
    pub fn step(&mut self) -> Result<Option<StepReport>, LearningError> {
        let Some(batch) = self.batches.next_batch() else { return Ok(None) };
        let batch: Vec<&Clip> = batch.iter().map(|&clip| &self.clips[clip]).collect();
        let loss = self.trainer.step_near(&batch, &self.base, self.proximal);
        let step = self.batches.done();
        if !loss.is_finite() {
            return Err(LearningError::Diverged { step });
        }
        Ok(Some(StepReport { step, steps: self.batches.steps(), loss }))
    }

    /// The copy as it is now.
    pub fn tuned(&self) -> &Vfer {
        self.trainer.vfer()
    }

    /// Tuned minus base.
    pub fn finish(self) -> Weights {
        let mut delta = self.trainer.into_vfer().parameters;
        for (tuned, base) in delta.slices_mut().into_iter().zip(self.base.slices()) {
            tuned.iter_mut().zip(base).for_each(|(tuned, base)| *tuned -= base);
        }
        delta.to_weights()
    }
}

pub(super) fn adam_settings(settings: &LearningSettings) -> AdamSettings {
    AdamSettings { epsilon: settings.adam_epsilon, ..AdamSettings::with_learning_rate(settings.learning_rate) }
}

/// Mixes the base's own prediction into each target. The KL divergence's gradient is linear in the target, so that this is the
/// weighted sum of both losses.
fn distil(base: &Vfer, clips: &mut [Clip], share: f32) {
    for clip in clips {
        let prediction = base.probabilities(&clip.features);
        mix(&mut clip.target, &prediction, share);
    }
}

/// Replaces a `share` of a target by the base's prediction.
pub(super) fn mix(target: &mut [f32; EMOTIONS], prediction: &[f32; EMOTIONS], share: f32) {
    target.iter_mut().zip(prediction).for_each(|(target, own)| *target = (1.0 - share) * *target + share * own);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::vfer::FEATURES;
    use crate::random::SplitMix64;

    fn clips(count: usize) -> Vec<Clip> {
        let mut random = SplitMix64::new(3);
        (0..count)
            .map(|i| {
                let mut target = [0.0; 6];
                target[i % 6] = 1.0;
                let frames = 1 + i % 4;
                Clip { features: (0..frames * FEATURES).map(|_| random.signed()).collect(), target }
            })
            .collect()
    }

    fn run(settings: &LearningSettings, count: usize) -> (Vec<StepReport>, Weights) {
        let mut training = FineTune::new(&Vfer::random(1), clips(count), settings).unwrap();
        let mut reports = Vec::new();
        while let Some(report) = training.step().unwrap() {
            reports.push(report);
        }
        (reports, training.finish())
    }

    #[test]
    fn every_clip_is_seen_once_an_epoch_and_bits_repeat() {
        let settings = LearningSettings { epochs: 2, batch_size: 4, ..LearningSettings::default() };
        let (reports, delta) = run(&settings, 10);
        assert_eq!(reports.len(), 6);
        assert_eq!(delta, run(&settings, 10).1);
        assert_ne!(delta, run(&LearningSettings { seed: 9, ..settings }, 10).1);
        assert!(delta.norm() > 0.0);
    }

    #[test]
    fn it_learns() {
        let settings =
            LearningSettings { epochs: 60, batch_size: 3, learning_rate: 1e-3, ..LearningSettings::default() };
        let (reports, _) = run(&settings, 6);
        assert!(reports.last().unwrap().loss < 0.3 * reports[0].loss, "{reports:?}");
    }

    #[test]
    fn distillation_and_the_proximal_term_hold_the_model_back() {
        let free = LearningSettings { epochs: 20, learning_rate: 1e-3, ..LearningSettings::default() };
        let moved = |settings: &LearningSettings| run(settings, 12).1.norm();
        let freely = moved(&free);
        assert!(moved(&LearningSettings { distillation: 0.9, ..free.clone() }) < 0.9 * freely);
        assert!(moved(&LearningSettings { proximal: 10.0, ..free }) < 0.5 * freely);
        // The gradient of a target that is the base's own prediction is zero.
        let all_own = LearningSettings { distillation: 1.0, ..LearningSettings::default() };
        assert!(run(&all_own, 12).0.iter().all(|report| report.loss.abs() < 1e-5));
    }

    /// The end-to-end tests make a harmful update this way (`Aggregator::with_harmful_training`).
    #[test]
    fn a_proximal_term_that_outweighs_all_else_overshoots_its_base_in_four_steps() {
        let settings = LearningSettings {
            learning_rate: 3e-3,
            proximal: 1e6,
            epochs: 4,
            batch_size: 200,
            ..LearningSettings::default()
        };
        for seed in 0..5 {
            let base = Vfer::random(seed);
            let mut clips = clips(5);
            clips.iter_mut().for_each(|clip| clip.target = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
            let held_out = clips.split_off(3);
            let mut training = FineTune::new(&base, clips, &settings).unwrap();
            while training.step().unwrap().is_some() {}
            let mut check = crate::learning::HoldOutCheck::default();
            for clip in &held_out {
                let [before, after] = [&base, training.tuned()].map(|vfer| vfer.probabilities(&clip.features));
                check.add(&clip.target, &before, &after);
            }
            let result = check.result().unwrap();
            assert!(result.is_worse() && result.loss_after > result.loss_before + 0.005, "seed {seed}: {result:?}");
        }
    }

    #[test]
    fn unusable_clips_are_named() {
        let settings = LearningSettings::default();
        let tune = |clips| FineTune::new(&Vfer::random(1), clips, &settings).map(|_| ()).unwrap_err();
        assert_eq!(tune(Vec::new()), LearningError::NoClips);
        let mut short = clips(2);
        short[1].features.pop();
        assert!(matches!(tune(short), LearningError::Features { clip: 1, .. }));
        let mut wrong = clips(2);
        wrong[0].features[5] = f32::INFINITY;
        assert_eq!(tune(wrong), LearningError::NotFinite { clip: 0 });
    }
}
