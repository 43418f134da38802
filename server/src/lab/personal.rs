//! What a student's tab may make of the global model for itself alone: nothing of it is sent, and nobody else's model changes.

use emofed::emotion::EMOTIONS;
use emofed::learning::{Clip, HeadTuning, LearningSettings, tune_head};
use emofed::model::vfer::{HIDDEN, Vfer, softmax};
use serde::{Deserialize, Serialize};

use super::dataset::RatedClip;
use super::simulated_federation::training_clips;
use super::split::AdaptationSubject;
use super::train::probabilities;

/// A way to personalise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Personal {
    /// The linear layer is tuned on the own pseudo-labelled clips, the LSTM stays (FedRep and FedPer keep such a head).
    Head {
        /// Adam's learning rate.
        learning_rate: f64,
        /// Passes over the clips.
        epochs: u32,
    },
    /// No training: a cache with the mean last hidden state of the own clips of each pseudo label. A class gains logits by
    /// the cosine similarity to its mean, relative to the other classes in the cache (Tip-Adapter, Zhang et al. 2022).
    Prototypes {
        /// Logits for a similarity of 1.
        weight: f32,
    },
}

impl Personal {
    /// Probabilities of the subject's test clips, in order, once its tab has seen its adaptation clips.
    pub fn probabilities(
        &self,
        vfer: &Vfer,
        subject: &AdaptationSubject,
        learning: &LearningSettings,
    ) -> Vec<[f32; EMOTIONS]> {
        let kept = training_clips(vfer, &subject.adaptation, learning);
        match self {
            _ if kept.is_empty() => probabilities(vfer, &subject.test),
            Self::Head { learning_rate, epochs } => {
                let (batch_size, seed) = (learning.batch_size, learning.seed);
                let tuning = HeadTuning { learning_rate: *learning_rate, epochs: *epochs, batch_size, seed };
                let hidden: Vec<_> = kept.iter().map(|clip| vfer.last_hidden(&clip.features)).collect();
                let targets: Vec<_> = kept.iter().map(|clip| clip.target).collect();
                probabilities(&tune_head(vfer, &hidden, &targets, &tuning), &subject.test)
            }
            Self::Prototypes { weight } => {
                let prototypes = Prototypes::of(vfer, &kept);
                subject.test.iter().map(|clip| prototypes.probabilities(vfer, clip, *weight)).collect()
            }
        }
    }
}

/// The mean direction of each class's hidden states, `[EMOTIONS][HIDDEN]`; absent where no clip has the label.
struct Prototypes([Option<[f32; HIDDEN]>; EMOTIONS]);

impl Prototypes {
    fn of(vfer: &Vfer, clips: &[Clip]) -> Self {
        let mut sums = [[0.0; HIDDEN]; EMOTIONS];
        for clip in clips {
            let hidden = unit(vfer.last_hidden(&clip.features));
            for (sum, share) in sums.iter_mut().zip(clip.target) {
                sum.iter_mut().zip(hidden).for_each(|(sum, value)| *sum += share * value);
            }
        }
        Self(sums.map(|sum| sum.iter().any(|value| *value != 0.0).then(|| unit(sum))))
    }

    fn probabilities(&self, vfer: &Vfer, clip: &RatedClip, weight: f32) -> [f32; EMOTIONS] {
        let hidden = unit(vfer.last_hidden(&clip.features));
        let similarities = self
            .0
            .map(|prototype| prototype.map(|prototype| prototype.iter().zip(hidden).map(|(a, b)| a * b).sum::<f32>()));
        let known: Vec<f32> = similarities.into_iter().flatten().collect();
        let mean = known.iter().sum::<f32>() / known.len().max(1) as f32;
        let mut logits = vfer.probabilities(&clip.features).map(|probability| probability.max(1e-12).ln());
        for (logit, similarity) in logits.iter_mut().zip(similarities) {
            *logit += weight * similarity.map_or(0.0, |similarity| similarity - mean);
        }
        softmax(&logits)
    }
}

fn unit(mut vector: [f32; HIDDEN]) -> [f32; HIDDEN] {
    let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-12);
    vector.iter_mut().for_each(|value| *value /= norm);
    vector
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::synthetic::{SyntheticSettings, generate};

    /// A subject whose clips all look alike to the head.
    fn subject(clips: &[RatedClip]) -> AdaptationSubject<'_> {
        let (adaptation, test) = clips.split_at(clips.len() / 2);
        AdaptationSubject { subject: "1".into(), adaptation: adaptation.iter().collect(), test: test.iter().collect() }
    }

    #[test]
    fn predictions_change_only_where_a_clip_is_kept() {
        let dataset = generate(&SyntheticSettings {
            subjects: 1,
            clips_per_subject: 12,
            frames: 6,
            ..SyntheticSettings::default()
        });
        let (vfer, subject) = (Vfer::random(1), subject(&dataset.clips));
        let everything = LearningSettings { confidence_threshold: 0.0, ..LearningSettings::default() };
        let nothing = LearningSettings { confidence_threshold: 1.0, ..LearningSettings::default() };
        let plain = probabilities(&vfer, &subject.test);
        for personal in [Personal::Head { learning_rate: 1e-2, epochs: 2 }, Personal::Prototypes { weight: 4.0 }] {
            assert_ne!(personal.probabilities(&vfer, &subject, &everything), plain, "{personal:?}");
            assert_eq!(personal.probabilities(&vfer, &subject, &nothing), plain, "{personal:?}");
        }
    }

    #[test]
    fn a_clip_like_the_cached_ones_is_drawn_to_their_class() {
        let dataset = generate(&SyntheticSettings {
            subjects: 1,
            clips_per_subject: 2,
            frames: 6,
            ..SyntheticSettings::default()
        });
        let vfer = Vfer::random(1);
        let labelled = |clip: &RatedClip, class: usize| {
            let mut target = [0.0; EMOTIONS];
            target[class] = 1.0;
            Clip { features: clip.features.clone(), target }
        };
        let cache = Prototypes::of(&vfer, &[labelled(&dataset.clips[0], 2), labelled(&dataset.clips[1], 5)]);
        let before = vfer.probabilities(&dataset.clips[0].features);
        let after = cache.probabilities(&vfer, &dataset.clips[0], 4.0);
        assert!(after[2] / after[5] > before[2] / before[5]);
        // Classes without a prototype keep their odds.
        assert!((after[0] / after[1] - before[0] / before[1]).abs() < 1e-4);
        assert!((after.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}
