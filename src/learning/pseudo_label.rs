//! Pseudo labels: what the image model says of a clip on average.

use crate::emotion::{EMOTIONS, Emotion};

/// The image model's opinion of a clip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PseudoLabel {
    /// Mean probability over the frames.
    pub mean: [f32; EMOTIONS],
    /// Where it is largest.
    pub emotion: Emotion,
    /// Whether the largest reaches the threshold.
    pub confident: bool,
}

/// Mean over `frames` of each emotion's probability, `[EMOTIONS]`. `None` without frames, or where one is not finite.
pub(super) fn mean_probabilities(frames: &[[f32; EMOTIONS]]) -> Option<[f64; EMOTIONS]> {
    let mut sums = [0.0_f64; EMOTIONS];
    for frame in frames {
        sums.iter_mut().zip(frame).for_each(|(sum, &probability)| *sum += f64::from(probability));
    }
    let mean = sums.map(|sum| sum / frames.len() as f64);
    mean.iter().all(|probability| probability.is_finite()).then_some(mean)
}

/// The label that `mean` points to; among equals the first.
pub(super) fn label_mean(mean: [f64; EMOTIONS], threshold: f64) -> Option<PseudoLabel> {
    let largest = mean.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let emotion = Emotion::from_index(mean.iter().position(|&probability| probability == largest)?)?;
    Some(PseudoLabel { mean: mean.map(|probability| probability as f32), emotion, confident: largest >= threshold })
}

/// Labels a clip by its frames' probabilities (paper, section 3.1; threshold 0.5 there). `None` without frames, or where
/// a probability is not finite.
pub fn pseudo_label(frames: &[[f32; EMOTIONS]], threshold: f64) -> Option<PseudoLabel> {
    label_mean(mean_probabilities(frames)?, threshold)
}

impl PseudoLabel {
    /// What to train on: the label alone (the paper), or the whole mean distribution if `soft`.
    pub fn target(&self, soft: bool) -> [f32; EMOTIONS] {
        if soft {
            return self.mean;
        }
        let mut target = [0.0; EMOTIONS];
        target[self.emotion.index()] = 1.0;
        target
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
        assert_eq!((label.emotion, label.confident), (Emotion::Fear, true));
        assert!(!pseudo_label(&[frame], 0.5001).unwrap().confident);
        assert_eq!(label.target(false), [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(label.target(true), frame);
    }

    #[test]
    fn no_frames_and_no_numbers_are_no_label() {
        assert_eq!(pseudo_label(&[], 0.5), None);
        assert_eq!(pseudo_label(&[[f32::NAN; EMOTIONS]], 0.5), None);
    }
}
