//! The hold-out: clips that a tab sets aside, never trains on, and checks each of its updates on before sending it.

use serde::{Deserialize, Serialize};

use crate::emotion::EMOTIONS;

/// Fewest clips that a check is made on.
const MINIMUM_CLIPS: usize = 2;

/// Decides which of the kept clips are set aside: an even share, the first ones being for training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HoldOutSchedule {
    /// Clips that are due to be set aside; a fraction.
    due: f64,
}

impl HoldOutSchedule {
    /// Whether the next kept clip is set aside, if `share` (0 to 0.5) of them shall be.
    pub fn next_is_held_out(&mut self, share: f64) -> bool {
        self.due += if share.is_finite() { share.clamp(0.0, 0.5) } else { 0.0 };
        // Sums of shares such as 0.2 are not exact.
        let is_due = self.due >= 1.0 - 1e-9;
        if is_due {
            self.due -= 1.0;
        }
        is_due
    }
}

/// Compares a fine-tuned model with its base, clip by clip.
///
/// ```
/// use emofed_core::learning::HoldOutCheck;
/// use emofed_core::model::vfer::{FEATURES, Vfer};
///
/// let features = vec![0.1; FEATURES];
/// let [base, tuned] = [1, 2].map(|seed| Vfer::random(seed).probabilities(&features));
/// let target = base; // what the base says already
/// let mut check = HoldOutCheck::default();
/// check.add(&target, &base, &tuned);
/// assert_eq!(check.result(), None, "one clip is too few");
/// check.add(&target, &base, &tuned);
/// assert!(check.result().unwrap().is_worse());
/// ```
#[derive(Clone, Debug, Default)]
pub struct HoldOutCheck {
    clips: usize,
    before: f64,
    after: f64,
}

/// Mean loss on the hold-out, before and after fine-tuning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HoldOutResult {
    /// Number of clips.
    pub clips: usize,
    /// Mean KL divergence of the base, in nats.
    pub loss_before: f64,
    /// Mean KL divergence of the fine-tuned model, in nats.
    pub loss_after: f64,
}

impl HoldOutCheck {
    /// Takes in the probabilities that the base and the tuned model give a clip of the hold-out with label `target`.
    pub fn add(&mut self, target: &[f32; EMOTIONS], base: &[f32; EMOTIONS], tuned: &[f32; EMOTIONS]) {
        self.clips += 1;
        self.before += kl_divergence_of(target, base);
        self.after += kl_divergence_of(target, tuned);
    }

    /// The mean losses; `None` if there are too few clips to tell.
    pub fn result(&self) -> Option<HoldOutResult> {
        let mean = |sum: f64| sum / self.clips as f64;
        let result = HoldOutResult { clips: self.clips, loss_before: mean(self.before), loss_after: mean(self.after) };
        (self.clips >= MINIMUM_CLIPS).then_some(result)
    }
}

impl HoldOutResult {
    /// Whether the fine-tuned model is worse than its base, or its loss is not a number.
    pub fn is_worse(&self) -> bool {
        self.loss_after.is_nan() || self.loss_after > self.loss_before
    }
}

/// KL(target ‖ prediction), in nats.
fn kl_divergence_of(target: &[f32; EMOTIONS], prediction: &[f32; EMOTIONS]) -> f64 {
    let term = |(target, probability): (&f32, &f32)| {
        if *target > 0.0 { f64::from(*target) * (f64::from(*target) / f64::from(*probability)).ln() } else { 0.0 }
    };
    target.iter().zip(prediction).map(term).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learning::{Clip, FineTune, LearningSettings};
    use crate::model::vfer::{FEATURES, Vfer};
    use crate::random::SplitMix64;

    #[test]
    fn a_share_of_the_clips_is_set_aside_evenly() {
        let held_out = |share: f64, clips: usize| {
            let mut schedule = HoldOutSchedule::default();
            (1..=clips).filter(|_| schedule.next_is_held_out(share)).collect::<Vec<_>>()
        };
        assert_eq!(held_out(0.2, 16), [5, 10, 15]);
        assert_eq!(held_out(0.1, 100).len(), 10);
        assert_eq!(held_out(0.5, 6), [2, 4, 6]);
        for nothing in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(held_out(nothing, 50).is_empty(), "{nothing}");
        }
        assert_eq!(held_out(7.0, 10).len(), 5, "never more than half");
    }

    fn clips(target: usize, seed: u64) -> Vec<Clip> {
        let mut random = SplitMix64::new(seed);
        let features = |frames: usize| {
            let mut random = SplitMix64::new(frames as u64);
            (0..frames * FEATURES).map(|_| random.signed()).collect()
        };
        let one_hot = std::array::from_fn(|emotion| f32::from(u8::from(emotion == target)));
        (0..8).map(|_| Clip { features: features(1 + random.below(6)), target: one_hot }).collect()
    }

    /// The check on clips that name `held_out`, of a model that was tuned on clips that name `trained`.
    fn check(trained: usize, held_out: usize) -> HoldOutResult {
        let base = Vfer::random(1);
        let settings = LearningSettings { learning_rate: 1e-3, epochs: 5, ..LearningSettings::default() };
        let mut tuning = FineTune::new(&base, clips(trained, 1), &settings).unwrap();
        while tuning.step().unwrap().is_some() {}
        let mut check = HoldOutCheck::default();
        for clip in clips(held_out, 2) {
            let [before, after] = [&base, tuning.tuned()].map(|vfer| vfer.probabilities(&clip.features));
            check.add(&clip.target, &before, &after);
        }
        check.result().unwrap()
    }

    #[test]
    fn an_update_is_worse_if_the_hold_out_says_something_else() {
        assert!(!check(3, 3).is_worse(), "{:?}", check(3, 3));
        assert!(check(3, 0).is_worse(), "{:?}", check(3, 0));
        assert_eq!(check(3, 3).clips, 8);
    }

    #[test]
    fn an_update_that_changes_nothing_is_not_worse() {
        let base = Vfer::random(1);
        let mut check = HoldOutCheck::default();
        for clip in clips(2, 1) {
            let prediction = base.probabilities(&clip.features);
            check.add(&clip.target, &prediction, &prediction);
        }
        let result = check.result().unwrap();
        assert_eq!(result.loss_before, result.loss_after);
        assert!(!result.is_worse());
        assert!(HoldOutResult { loss_after: f64::NAN, ..result }.is_worse());
    }
}
