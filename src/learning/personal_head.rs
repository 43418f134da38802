//! A head of the student's own: the linear layer tuned on the student's clips alone, over the global model's LSTM. It never
//! leaves the tab (as in FedPer, Arivazhagan et al. 2019, and FedRep, Collins et al. 2021).

use super::{Adam, AdamSettings, Clip};
use crate::model::vfer::{HIDDEN, Parameters, Vfer, softmax};
use crate::random::SplitMix64;

/// How a head is tuned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadTuning {
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Passes over the clips.
    pub epochs: u32,
    /// Clips per step.
    pub batch_size: usize,
    /// Fixes the order of clips in an epoch.
    pub seed: u64,
}

/// `vfer` with a head tuned on `clips`, KL divergence from their targets; the LSTM stays as it is. Without clips, `vfer`.
/// The same model, clips and settings give the same bits.
pub fn tune_head(vfer: &Vfer, clips: &[Clip], tuning: &HeadTuning) -> Vfer {
    // The LSTM does not change, so that each clip runs through it once.
    let hidden: Vec<[f32; HIDDEN]> = clips.iter().map(|clip| vfer.last_hidden(&clip.features)).collect();
    let mut tuned = vfer.clone();
    let mut adam = Adam::new(AdamSettings::with_learning_rate(tuning.learning_rate));
    let mut gradient = Parameters::zeros();
    let mut random = SplitMix64::new(tuning.seed);
    let mut order: Vec<usize> = (0..clips.len()).collect();
    for _ in 0..tuning.epochs {
        random.shuffle(&mut order);
        for batch in order.chunks(tuning.batch_size.max(1)) {
            gradient.head.fill(0.0);
            gradient.head_bias.fill(0.0);
            for &clip in batch {
                let probabilities = softmax(&tuned.head(&hidden[clip]));
                let rows = gradient.head.as_chunks_mut::<HIDDEN>().0.iter_mut().zip(&mut gradient.head_bias);
                for ((row, bias), (probability, target)) in rows.zip(probabilities.iter().zip(clips[clip].target)) {
                    let error = (probability - target) / batch.len() as f32;
                    *bias += error;
                    row.iter_mut().zip(&hidden[clip]).for_each(|(sum, value)| *sum += error * value);
                }
            }
            // Where the gradient is zero, Adam moves nothing.
            adam.step(&mut tuned.parameters, &gradient);
        }
    }
    tuned
}

#[cfg(test)]
mod tests {
    use super::super::Trainer;
    use super::*;
    use crate::emotion::EMOTIONS;
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

    #[test]
    fn it_is_training_with_the_lstm_held_still() {
        let clips = clips(10);
        let tuning = HeadTuning { learning_rate: 1e-2, epochs: 3, batch_size: clips.len(), seed: 1 };
        let vfer = Vfer::random(1);
        let tuned = tune_head(&vfer, &clips, &tuning);
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
        let tuned = tune_head(&vfer, &clips, &tuning);
        let named = |vfer: &Vfer| {
            let is_right = |clip: &&Clip| {
                let found = vfer.probabilities(&clip.features);
                let largest = |values: &[f32; EMOTIONS]| (0..EMOTIONS).max_by(|&a, &b| values[a].total_cmp(&values[b]));
                largest(&found) == largest(&clip.target)
            };
            clips.iter().filter(is_right).count()
        };
        assert!(named(&tuned) > named(&vfer) + 4, "{} of 12, {} before", named(&tuned), named(&vfer));
        assert_eq!(tuned, tune_head(&vfer, &clips, &tuning));
        assert_eq!(tune_head(&vfer, &[], &tuning), vfer);
    }
}
