//! Pseudo labels: the image model's mean prediction over a clip (paper, section 3.1).

use crate::emotion::{EMOTIONS, Emotion};

/// The label of a clip, and whether it is confident enough to train on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PseudoLabel {
    /// The distribution that the label is taken from: the mean probability over the frames, `[EMOTIONS]`.
    pub mean: [f32; EMOTIONS],
    /// Its argmax.
    pub emotion: Emotion,
    /// Why the clip is not to be trained on; `None` if it is.
    pub rejection: Option<LabelRejection>,
}

/// Why a clip is not to be trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelRejection {
    /// The largest probability is below the threshold.
    LowConfidence,
    /// The VFER names another emotion.
    Disagreement,
}

/// Mean over `frames`, `[frames, EMOTIONS]`, of each emotion's probability. `None` without frames, or if one is not finite.
pub(super) fn mean_probabilities(frames: &[[f32; EMOTIONS]]) -> Option<[f64; EMOTIONS]> {
    let mut sums = [0.0_f64; EMOTIONS];
    for frame in frames {
        sums.iter_mut().zip(frame).for_each(|(sum, &probability)| *sum += f64::from(probability));
    }
    let mean = sums.map(|sum| sum / frames.len() as f64);
    mean.iter().all(|probability| probability.is_finite()).then_some(mean)
}

/// The label for the distribution `mean`: its argmax, the first among equals.
pub(super) fn label_mean(mean: [f64; EMOTIONS], threshold: f64) -> Option<PseudoLabel> {
    let largest = mean.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let emotion = Emotion::from_index(mean.iter().position(|&probability| probability == largest)?)?;
    let rejection = reject_below(threshold, largest);
    Some(PseudoLabel { mean: mean.map(|probability| probability as f32), emotion, rejection })
}

/// `LowConfidence` if `probability` does not reach `threshold`.
pub(super) fn reject_below(threshold: f64, probability: f64) -> Option<LabelRejection> {
    (probability < threshold).then_some(LabelRejection::LowConfidence)
}

/// Labels a clip by the probabilities of its `frames`, `[frames, EMOTIONS]`: `label = argmax mean(frames)`, kept if
/// `max mean(frames) ≥ threshold` (paper, section 3.1; threshold 0.5 there). `None` without frames, or if a probability is
/// not finite.
///
/// ```
/// use emofed_core::emotion::Emotion;
/// use emofed_core::learning::pseudo_label;
///
/// let frames = [[0.1, 0.0, 0.0, 0.7, 0.2, 0.0], [0.0, 0.1, 0.0, 0.5, 0.3, 0.1]];
/// let label = pseudo_label(&frames, 0.5).unwrap();
/// assert_eq!(label.emotion, Emotion::Happiness);
/// assert!(label.is_kept());
/// ```
pub fn pseudo_label(frames: &[[f32; EMOTIONS]], threshold: f64) -> Option<PseudoLabel> {
    label_mean(mean_probabilities(frames)?, threshold)
}

impl PseudoLabel {
    /// Whether the clip is to be trained on.
    pub fn is_kept(&self) -> bool {
        self.rejection.is_none()
    }

    /// The target to train on, `[EMOTIONS]`: one-hot (the paper), or the whole distribution if `soft`.
    pub fn target(&self, soft: bool) -> [f32; EMOTIONS] {
        if soft { self.mean } else { self.emotion.one_hot() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_itself_is_enough() {
        let mut frame = [0.1; EMOTIONS];
        frame[2] = 0.5;
        let label = pseudo_label(&[frame], 0.5).unwrap();
        assert_eq!((label.emotion, label.is_kept()), (Emotion::Fear, true));
        assert_eq!(pseudo_label(&[frame], 0.5001).unwrap().rejection, Some(LabelRejection::LowConfidence));
        assert_eq!(label.target(false), [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(label.target(true), frame);
    }

    #[test]
    fn no_frames_and_no_numbers_are_no_label() {
        assert_eq!(pseudo_label(&[], 0.5), None);
        assert_eq!(pseudo_label(&[[f32::NAN; EMOTIONS]], 0.5), None);
    }
}
