//! Pseudo-labelling of a tab's clips, one after the other, by the manifest's learning settings.

use serde::{Deserialize, Serialize};

use super::LearningSettings;
use super::pseudo_label::{LabelRejection, PseudoLabel, label_mean, mean_probabilities, reject_below};
use crate::emotion::EMOTIONS;

/// Decay of the running mean of predictions, once there are enough clips.
const DECAY: f64 = 0.95;

/// Pseudo-labels clips in the order in which they were recorded.
///
/// With `p` the mean of the image head's probabilities over the clip's frames and `q` the VFER's probabilities, both
/// `[EMOTIONS]`, a clip is labelled in these steps, of which the paper's settings leave only the first and the threshold
/// ([`super::pseudo_label`], paper, section 3.1):
///
/// 1. `r = (1 - video_share) * p + video_share * q`;
/// 2. prior correction: `r = r / m ^ prior_correction`, normalised, where `m` is the running mean of `r` over the tab's clips
///    (as in FedDB);
/// 3. the label is the argmax of `r`, and is confident if `r` reaches `confidence_threshold`, which with
///    `adaptive_threshold` is scaled by `m[label] / max(m)` (FreeMatch, Wang et al. 2023);
/// 4. with `agreement`, the label is rejected unless it is the argmax of `q`, too (as in SAGE).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PseudoLabeller {
    /// Running mean of `r` over all clips, kept or not, `[EMOTIONS]`.
    mean: [f64; EMOTIONS],
    clips: u32,
}

impl Default for PseudoLabeller {
    fn default() -> Self {
        Self { mean: [1.0 / EMOTIONS as f64; EMOTIONS], clips: 0 }
    }
}

impl PseudoLabeller {
    /// Labels a clip by the image head's probabilities of its `frames`, `[frames, EMOTIONS]`, and the VFER's probabilities of
    /// the whole, `video`, `[EMOTIONS]`. `None` without frames, or if a probability of a frame is not finite.
    pub fn label(
        &mut self,
        frames: &[[f32; EMOTIONS]],
        video: &[f32; EMOTIONS],
        settings: &LearningSettings,
    ) -> Option<PseudoLabel> {
        let image = mean_probabilities(frames)?;
        // A VFER whose prediction is not finite is left out.
        let video = video.iter().all(|probability| probability.is_finite()).then(|| video.map(f64::from));
        let combined: [f64; EMOTIONS] = match video {
            Some(video) => {
                let share = settings.video_share;
                std::array::from_fn(|i| (1.0 - share) * image[i] + share * video[i])
            }
            None => image,
        };
        // An arithmetic mean over the first clips, an exponential one later.
        let keep = (f64::from(self.clips + 1) / f64::from(self.clips + 2)).min(DECAY);
        self.clips = self.clips.saturating_add(1);
        self.mean.iter_mut().zip(combined).for_each(|(mean, now)| *mean = keep * *mean + (1.0 - keep) * now);

        let corrected: [f64; EMOTIONS] =
            std::array::from_fn(|i| combined[i] / self.mean[i].max(1e-6).powf(settings.prior_correction));
        let sum: f64 = corrected.iter().sum();
        let corrected = corrected.map(|value| value / sum);
        let mut label = label_mean(corrected, settings.confidence_threshold)?;
        if settings.adaptive_threshold {
            let most = self.mean.iter().copied().fold(0.0, f64::max);
            let threshold = settings.confidence_threshold * self.mean[label.emotion.index()] / most;
            label.rejection = reject_below(threshold, corrected[label.emotion.index()]);
        }
        if settings.agreement && label.rejection.is_none() {
            let predicted = video.and_then(|video| label_mean(video, 0.0)).map(|label| label.emotion);
            label.rejection = (predicted != Some(label.emotion)).then_some(LabelRejection::Disagreement);
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
        let mut labeller = PseudoLabeller::default();
        let found = labeller.label(&[FRAME], &[0.0; EMOTIONS], &settings).unwrap();
        let papers = pseudo_label(&[FRAME], 0.5).unwrap();
        assert_eq!((found.emotion, found.rejection), (papers.emotion, papers.rejection));
        assert!(found.mean.iter().zip(papers.mean).all(|(a, b)| (a - b).abs() < 1e-6));
        assert_eq!(labeller.label(&[], &[0.0; EMOTIONS], &settings), None);
        assert_eq!(labeller.label(&[[f32::NAN; EMOTIONS]], &[0.0; EMOTIONS], &settings), None);
    }

    #[test]
    fn an_emotion_that_the_head_favours_is_corrected() {
        let settings = LearningSettings { prior_correction: 1.0, ..LearningSettings::default() };
        let mut labeller = PseudoLabeller::default();
        for _ in 0..50 {
            labeller.label(&[[0.1, 0.05, 0.05, 0.1, 0.6, 0.1]], &[0.0; EMOTIONS], &settings);
        }
        assert_eq!(labeller.label(&[FRAME], &[0.0; EMOTIONS], &settings).unwrap().emotion, Emotion::Sadness);
    }

    #[test]
    fn with_agreement_a_label_that_the_vfer_does_not_name_is_rejected() {
        let settings = LearningSettings { agreement: true, ..LearningSettings::default() };
        let [mut same, mut other] = [[0.1; EMOTIONS]; 2];
        (same[4], other[5]) = (0.5, 0.5);
        assert!(PseudoLabeller::default().label(&[FRAME], &same, &settings).unwrap().is_kept());
        assert!(!PseudoLabeller::default().label(&[FRAME], &other, &settings).unwrap().is_kept());
        assert!(!PseudoLabeller::default().label(&[FRAME], &[f32::NAN; EMOTIONS], &settings).unwrap().is_kept());
        assert!(PseudoLabeller::default().label(&[FRAME], &other, &LearningSettings::default()).unwrap().is_kept());
    }

    #[test]
    fn the_vfer_has_its_share_and_rare_emotions_a_lower_threshold() {
        let mut video = [0.0; EMOTIONS];
        video[5] = 1.0;
        let half = LearningSettings { video_share: 0.5, ..LearningSettings::default() };
        assert_eq!(PseudoLabeller::default().label(&[FRAME], &video, &half).unwrap().emotion, Emotion::Sadness);

        let adaptive = LearningSettings { adaptive_threshold: true, ..LearningSettings::default() };
        let mut labeller = PseudoLabeller::default();
        for _ in 0..20 {
            labeller.label(&[[0.0, 0.0, 0.0, 0.0, 1.0, 0.0]], &video, &adaptive);
        }
        let doubtful = [[0.0, 0.0, 0.0, 0.0, 0.55, 0.45], [0.45, 0.0, 0.0, 0.4, 0.0, 0.15]];
        assert!(labeller.label(&doubtful[1..], &video, &adaptive).unwrap().is_kept());
        assert!(
            !PseudoLabeller::default().label(&doubtful[1..], &video, &LearningSettings::default()).unwrap().is_kept()
        );
    }
}
