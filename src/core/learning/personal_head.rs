//! A personalised head: the VFER's linear layer, tuned on one student's clips over the global model's LSTM. It never leaves
//! the tab (as in FedPer, Arivazhagan et al. 2019, and FedRep, Collins et al. 2021).

use std::collections::VecDeque;

use super::{Adam, AdamSettings, LearningSettings, PseudoLabeller};
use crate::emotion::EMOTIONS;
use crate::model::vfer::{HIDDEN, Parameters, Vfer, softmax};
use crate::random::SplitMix64;

/// Settings of head tuning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadTuning {
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Passes over the clips.
    pub epochs: u32,
    /// Clips per step.
    pub batch_size: usize,
    /// Seed of the order of clips in an epoch.
    pub seed: u64,
}

/// `vfer` with its head tuned and its LSTM unchanged. `hidden`, `[clips, HIDDEN]`, is the LSTM's last state of each clip and
/// `targets`, `[clips, EMOTIONS]`, its target distribution; the loss is the KL divergence, whose gradient with respect to the
/// logits is `softmax(logits) − target`. Without clips it is `vfer`. The same input gives the same bits.
pub fn tune_head(vfer: &Vfer, hidden: &[[f32; HIDDEN]], targets: &[[f32; EMOTIONS]], tuning: &HeadTuning) -> Vfer {
    let mut tuned = vfer.clone();
    let mut adam = Adam::new(AdamSettings::with_learning_rate(tuning.learning_rate));
    let mut gradient = Parameters::zeros();
    let mut random = SplitMix64::new(tuning.seed);
    let mut order: Vec<(&[f32; HIDDEN], &[f32; EMOTIONS])> = hidden.iter().zip(targets).collect();
    for _ in 0..tuning.epochs {
        random.shuffle(&mut order);
        for batch in order.chunks(tuning.batch_size.max(1)) {
            gradient.head.fill(0.0);
            gradient.head_bias.fill(0.0);
            for (hidden, targets) in batch {
                let probabilities = softmax(&tuned.head(hidden));
                let rows = gradient.head.as_chunks_mut::<HIDDEN>().0.iter_mut().zip(&mut gradient.head_bias);
                for ((row, bias), (probability, target)) in rows.zip(probabilities.iter().zip(*targets)) {
                    let error = (probability - target) / batch.len() as f32;
                    *bias += error;
                    row.iter_mut().zip(*hidden).for_each(|(sum, value)| *sum += error * value);
                }
            }
            // The LSTM's gradient is zero, for which Adam changes nothing.
            adam.step(&mut tuned.parameters, &gradient);
        }
    }
    tuned
}

/// The personalised head of a tab under the recipe `personal-head`: every clip is pseudo-labelled softly, with the image
/// head's prior divided out, and the head is tuned on the newest of them. It does not affect client updates.
#[derive(Clone, Debug, Default)]
pub struct PersonalHead {
    labeller: PseudoLabeller,
    /// Newest last.
    clips: VecDeque<PersonalClip>,
}

#[derive(Clone, Debug)]
struct PersonalClip {
    /// `[frames, FEATURES]`.
    features: Vec<f32>,
    target: [f32; EMOTIONS],
    /// Last state of the global model's LSTM over it.
    hidden: [f32; HIDDEN],
}

impl PersonalHead {
    /// With fewer clips there is no personalised head.
    const MINIMUM_CLIPS: usize = 4;
    /// Older clips are removed.
    const MAXIMUM_CLIPS: usize = 50;

    /// Settings of its pseudo-labelling, whatever the federation's settings are.
    pub fn labels() -> LearningSettings {
        LearningSettings {
            video_share: 0.5,
            soft_labels: true,
            confidence_threshold: 0.0,
            prior_correction: 1.0,
            ..LearningSettings::default()
        }
    }

    /// Settings of its tuning.
    pub fn tuning() -> HeadTuning {
        HeadTuning { learning_rate: 1e-3, epochs: 5, batch_size: 8, seed: 0 }
    }

    /// The number of clips.
    pub fn clips(&self) -> usize {
        self.clips.len()
    }

    /// Takes in a clip: its `features`, `[frames, FEATURES]`; the last state of the global model's LSTM over them, `hidden`;
    /// the image head's probabilities of its `frames`, `[frames, EMOTIONS]`; and the global model's `prediction`,
    /// `[EMOTIONS]`. A clip that cannot be labelled is left out.
    pub fn add(
        &mut self,
        features: Vec<f32>,
        hidden: [f32; HIDDEN],
        frames: &[[f32; EMOTIONS]],
        prediction: &[f32; EMOTIONS],
    ) {
        let Some(label) = self.labeller.label(frames, prediction, &Self::labels()) else { return };
        self.clips.push_back(PersonalClip { features, target: label.target(true), hidden });
        if self.clips.len() > Self::MAXIMUM_CLIPS {
            self.clips.pop_front();
        }
    }

    /// Moves to a new global model: recomputes the LSTM's states. Labels stay.
    pub fn rebase(&mut self, vfer: &Vfer) {
        for clip in &mut self.clips {
            clip.hidden = vfer.last_hidden(&clip.features);
        }
    }

    /// The global model `vfer` with the personalised head, once there are enough clips.
    pub fn tuned(&self, vfer: &Vfer) -> Option<Vfer> {
        if self.clips.len() < Self::MINIMUM_CLIPS {
            return None;
        }
        let hidden: Vec<[f32; HIDDEN]> = self.clips.iter().map(|clip| clip.hidden).collect();
        let targets: Vec<[f32; EMOTIONS]> = self.clips.iter().map(|clip| clip.target).collect();
        Some(tune_head(vfer, &hidden, &targets, &Self::tuning()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Trainer;
    use super::*;
    use crate::learning::Clip;
    use crate::model::vfer::FEATURES;

    fn clips(count: usize) -> Vec<Clip> {
        let mut random = SplitMix64::new(3);
        let mut clip = |i: usize| {
            let mut target = [0.1; EMOTIONS];
            target[i % EMOTIONS] = 0.5;
            Clip { features: (0..(1 + i % 4) * FEATURES).map(|_| random.signed()).collect(), target }
        };
        (0..count).map(&mut clip).collect()
    }

    fn tune(vfer: &Vfer, clips: &[Clip], tuning: &HeadTuning) -> Vfer {
        let hidden: Vec<_> = clips.iter().map(|clip| vfer.last_hidden(&clip.features)).collect();
        let targets: Vec<_> = clips.iter().map(|clip| clip.target).collect();
        tune_head(vfer, &hidden, &targets, tuning)
    }

    #[test]
    fn it_is_training_with_a_frozen_lstm() {
        let clips = clips(10);
        let tuning = HeadTuning { learning_rate: 1e-2, epochs: 3, batch_size: clips.len(), seed: 1 };
        let vfer = Vfer::random(1);
        let tuned = tune(&vfer, &clips, &tuning);
        let mut trainer = Trainer::new(vfer.clone(), AdamSettings::with_learning_rate(1e-2));
        for _ in 0..3 {
            trainer.step_amended(&clips.iter().collect::<Vec<_>>(), |_, gradient| {
                gradient.slices_mut()[..4].iter_mut().for_each(|slice| slice.fill(0.0));
            });
        }
        assert_eq!(tuned.parameters.slices()[..4], vfer.parameters.slices()[..4]);
        assert_ne!(tuned.parameters.head, vfer.parameters.head);
        for (found, expected) in tuned.parameters.slices()[4..].iter().zip(&trainer.vfer().parameters.slices()[4..]) {
            assert!(found.iter().zip(*expected).all(|(found, expected)| (found - expected).abs() < 1e-4));
        }
    }

    #[test]
    fn it_learns_repeats_to_the_bit_and_needs_clips() {
        let clips = clips(12);
        let tuning = HeadTuning { learning_rate: 1e-2, epochs: 50, batch_size: 4, seed: 1 };
        let vfer = Vfer::random(1);
        let tuned = tune(&vfer, &clips, &tuning);
        let named = |vfer: &Vfer| {
            let is_right = |clip: &&Clip| {
                let found = vfer.probabilities(&clip.features);
                let largest = |values: &[f32; EMOTIONS]| (0..EMOTIONS).max_by(|&a, &b| values[a].total_cmp(&values[b]));
                largest(&found) == largest(&clip.target)
            };
            clips.iter().filter(is_right).count()
        };
        assert!(named(&tuned) > named(&vfer) + 4, "{} of 12, {} before", named(&tuned), named(&vfer));
        assert_eq!(tuned, tune(&vfer, &clips, &tuning));
        assert_eq!(tune(&vfer, &[], &tuning), vfer);
    }

    #[test]
    fn a_tab_has_a_head_of_its_newest_clips_over_whatever_model_is_global() {
        let [first, second] = [Vfer::random(1), Vfer::random(2)];
        let mut own = PersonalHead::default();
        let clips = clips(PersonalHead::MAXIMUM_CLIPS + 3);
        for (index, clip) in clips.iter().enumerate() {
            assert_eq!(own.tuned(&first).is_some(), index >= PersonalHead::MINIMUM_CLIPS);
            own.add(clip.features.clone(), first.last_hidden(&clip.features), &[clip.target], &[0.1; EMOTIONS]);
        }
        assert_eq!(own.clips(), PersonalHead::MAXIMUM_CLIPS);
        let over_first = own.tuned(&first).unwrap();
        assert_eq!(over_first.parameters.slices()[..4], first.parameters.slices()[..4]);
        assert_ne!(over_first.parameters.head, first.parameters.head);
        own.rebase(&second);
        let over_second = own.tuned(&second).unwrap();
        let hidden: Vec<_> = clips[3..].iter().map(|clip| second.last_hidden(&clip.features)).collect();
        let targets: Vec<_> = own.clips.iter().map(|clip| clip.target).collect();
        assert_eq!(over_second, tune_head(&second, &hidden, &targets, &PersonalHead::tuning()));
        own.add(clips[0].features.clone(), [0.0; HIDDEN], &[[f32::NAN; EMOTIONS]], &[0.1; EMOTIONS]);
        assert_eq!(own.tuned(&second).unwrap(), over_second, "what cannot be labelled is left out");
    }
}
