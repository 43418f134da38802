//! Labels a tab's clips, one after the other, as the manifest's learning settings say.

use super::LearningSettings;
use super::pseudo_label::{PseudoLabel, label_mean, mean_probabilities};
use crate::emotion::EMOTIONS;

/// Weight of what was known before in the running mean of opinions, once there are enough clips.
const MEMORY: f64 = 0.95;

/// Pseudo-labels clips in the order in which they are filmed. With the paper's settings it is [`super::pseudo_label`];
/// what else the settings ask for is applied in this order: the opinion is combined with the VFER's, divided by the mean
/// opinion so far, compared with a threshold for its class, and with what the VFER names.
#[derive(Clone, Debug, PartialEq)]
pub struct Labeller {
    /// Running mean of the opinions on all clips, kept or not.
    mean: [f64; EMOTIONS],
    clips: u32,
}

impl Default for Labeller {
    fn default() -> Self {
        Self { mean: [1.0 / EMOTIONS as f64; EMOTIONS], clips: 0 }
    }
}

impl Labeller {
    /// Labels a clip by its frames' image-head probabilities `[frames, EMOTIONS]` and the current VFER's opinion of the
    /// whole. `None` without frames, or where a probability is not finite.
    pub fn label(
        &mut self,
        frames: &[[f32; EMOTIONS]],
        video: &[f32; EMOTIONS],
        settings: &LearningSettings,
    ) -> Option<PseudoLabel> {
        let image = mean_probabilities(frames)?;
        // A VFER whose opinion is not a number has none.
        let video = video.iter().all(|probability| probability.is_finite()).then(|| video.map(f64::from));
        let opinion: [f64; EMOTIONS] = match video {
            Some(video) => {
                let share = settings.video_share;
                std::array::from_fn(|i| (1.0 - share) * image[i] + share * video[i])
            }
            None => image,
        };
        // A running mean over the first clips, an exponential one later.
        let keep = (f64::from(self.clips + 1) / f64::from(self.clips + 2)).min(MEMORY);
        self.clips = self.clips.saturating_add(1);
        self.mean.iter_mut().zip(opinion).for_each(|(mean, now)| *mean = keep * *mean + (1.0 - keep) * now);

        let corrected: [f64; EMOTIONS] =
            std::array::from_fn(|i| opinion[i] / self.mean[i].max(1e-6).powf(settings.prior_correction));
        let sum: f64 = corrected.iter().sum();
        let corrected = corrected.map(|value| value / sum);
        let mut label = label_mean(corrected, settings.confidence_threshold)?;
        if settings.adaptive_threshold {
            let most = self.mean.iter().copied().fold(0.0, f64::max);
            let threshold = settings.confidence_threshold * self.mean[label.emotion.index()] / most;
            label.confident = corrected[label.emotion.index()] >= threshold;
        }
        if settings.agreement {
            let named = video.and_then(|video| label_mean(video, 0.0)).map(|own| own.emotion);
            label.confident &= named == Some(label.emotion);
        }
        Some(label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;
    use crate::learning::pseudo_label;

    const FRAME: [f32; EMOTIONS] = [0.1, 0.0, 0.0, 0.1, 0.55, 0.25];

    #[test]
    fn the_papers_settings_are_the_papers_rule() {
        let settings = LearningSettings::default();
        let mut labeller = Labeller::default();
        let found = labeller.label(&[FRAME], &[0.0; EMOTIONS], &settings).unwrap();
        let papers = pseudo_label(&[FRAME], 0.5).unwrap();
        assert_eq!((found.emotion, found.confident), (papers.emotion, papers.confident));
        assert!(found.mean.iter().zip(papers.mean).all(|(a, b)| (a - b).abs() < 1e-6));
        assert_eq!(labeller.label(&[], &[0.0; EMOTIONS], &settings), None);
        assert_eq!(labeller.label(&[[f32::NAN; EMOTIONS]], &[0.0; EMOTIONS], &settings), None);
    }

    #[test]
    fn what_the_head_always_says_loses_weight() {
        let settings = LearningSettings { prior_correction: 1.0, ..LearningSettings::default() };
        let mut labeller = Labeller::default();
        for _ in 0..50 {
            labeller.label(&[[0.1, 0.05, 0.05, 0.1, 0.6, 0.1]], &[0.0; EMOTIONS], &settings);
        }
        assert_eq!(labeller.label(&[FRAME], &[0.0; EMOTIONS], &settings).unwrap().emotion, Emotion::Sadness);
    }

    #[test]
    fn where_both_have_to_agree_a_doubted_label_is_not_confident() {
        let settings = LearningSettings { agreement: true, ..LearningSettings::default() };
        let [mut same, mut other] = [[0.1; EMOTIONS]; 2];
        (same[4], other[5]) = (0.5, 0.5);
        assert!(Labeller::default().label(&[FRAME], &same, &settings).unwrap().confident);
        assert!(!Labeller::default().label(&[FRAME], &other, &settings).unwrap().confident);
        assert!(!Labeller::default().label(&[FRAME], &[f32::NAN; EMOTIONS], &settings).unwrap().confident);
        assert!(Labeller::default().label(&[FRAME], &other, &LearningSettings::default()).unwrap().confident);
    }

    #[test]
    fn the_vfer_has_its_share_and_rare_classes_a_lower_threshold() {
        let mut video = [0.0; EMOTIONS];
        video[5] = 1.0;
        let half = LearningSettings { video_share: 0.5, ..LearningSettings::default() };
        assert_eq!(Labeller::default().label(&[FRAME], &video, &half).unwrap().emotion, Emotion::Sadness);

        let adaptive = LearningSettings { adaptive_threshold: true, ..LearningSettings::default() };
        let mut labeller = Labeller::default();
        for _ in 0..20 {
            labeller.label(&[[0.0, 0.0, 0.0, 0.0, 1.0, 0.0]], &video, &adaptive);
        }
        let doubtful = [[0.0, 0.0, 0.0, 0.0, 0.55, 0.45], [0.45, 0.0, 0.0, 0.4, 0.0, 0.15]];
        assert!(labeller.label(&doubtful[1..], &video, &adaptive).unwrap().confident);
        assert!(!Labeller::default().label(&doubtful[1..], &video, &LearningSettings::default()).unwrap().confident);
    }
}
