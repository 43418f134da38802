//! What a model is worth on rated clips: precision, recall and F1 of each emotion, their means, loss and calibration.

use emofed::emotion::{EMOTIONS, Emotion};
use serde::{Deserialize, Serialize};

use super::dataset::RatedClip;

/// Bins of the expected calibration error.
const CALIBRATION_BINS: usize = 15;

/// What a model said of a clip, beside what its raters said.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Whose clip it is: an index that is the same for all clips of a subject.
    pub subject: usize,
    /// The emotion with most votes.
    pub truth: Emotion,
    /// Each emotion's share of the votes, `[EMOTIONS]`.
    pub fractions: [f32; EMOTIONS],
    /// The model's probabilities, `[EMOTIONS]`.
    pub probabilities: [f32; EMOTIONS],
}

/// Pairs `clips` with the model's `probabilities` of them, in the same order.
pub fn predictions(clips: &[&RatedClip], probabilities: &[[f32; EMOTIONS]]) -> Vec<Prediction> {
    let mut subjects: Vec<&str> = clips.iter().map(|clip| clip.subject.as_str()).collect();
    subjects.sort_unstable();
    subjects.dedup();
    let pairs = clips.iter().zip(probabilities);
    pairs
        .map(|(clip, &probabilities)| {
            let votes = clip.votes.iter().sum::<u32>().max(1) as f32;
            Prediction {
                subject: subjects.binary_search(&clip.subject.as_str()).unwrap_or(0),
                truth: clip.majority(),
                fractions: clip.votes.map(|count| count as f32 / votes),
                probabilities,
            }
        })
        .collect()
}

/// Precision, recall and F1 of one emotion; 0 where there is nothing to divide by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Of the clips named so, how many are.
    pub precision: f64,
    /// Of the clips that are, how many are named so.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// Clips that are.
    pub support: u32,
}

/// What a model is worth on a set of clips.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Clips.
    pub clips: u32,
    /// `[truth][prediction]`, clips.
    pub confusion: [[u32; EMOTIONS]; EMOTIONS],
    /// Of each emotion.
    pub emotions: [Scores; EMOTIONS],
    /// Unweighted means over the emotions that occur (macro).
    pub macro_precision: f64,
    /// See [`Self::macro_precision`].
    pub macro_recall: f64,
    /// See [`Self::macro_precision`].
    pub macro_f1: f64,
    /// Share of clips named right: micro precision, recall and F1 at once, since each clip has one truth and one
    /// prediction.
    pub micro_f1: f64,
    /// Mean negative log-probability of the truth, in nats.
    pub loss: f64,
    /// Mean KL divergence from the vote fractions to the model, in nats.
    pub kl_to_votes: f64,
    /// Expected calibration error of the largest probability, 15 equal bins (Guo et al. 2017).
    pub ece: f64,
}

/// A figure of [`Metrics`]: its name and how to read it.
pub type Figure = (&'static str, fn(&Metrics) -> f64);

/// The figures that tables have a column for.
pub const FIGURES: [Figure; 7] = [
    ("macro F1", |metrics| metrics.macro_f1),
    ("micro F1", |metrics| metrics.micro_f1),
    ("macro precision", |metrics| metrics.macro_precision),
    ("macro recall", |metrics| metrics.macro_recall),
    ("loss", |metrics| metrics.loss),
    ("KL to votes", |metrics| metrics.kl_to_votes),
    ("ECE", |metrics| metrics.ece),
];

/// Sums from which [`Metrics`] follow.
#[derive(Clone, Debug, Default)]
struct Sums {
    confusion: [[u32; EMOTIONS]; EMOTIONS],
    loss: f64,
    kl: f64,
    /// Of each bin: clips, sum of confidence, clips named right.
    bins: [(u32, f64, u32); CALIBRATION_BINS],
}

impl Sums {
    fn add(&mut self, prediction: &Prediction) {
        let Prediction { truth, fractions, probabilities, .. } = prediction;
        let named = largest(probabilities);
        self.confusion[truth.index()][named] += 1;
        let log = |probability: f32| f64::from(probability.max(1e-12)).ln();
        self.loss -= log(probabilities[truth.index()]);
        for (&fraction, &probability) in fractions.iter().zip(probabilities) {
            if fraction > 0.0 {
                self.kl += f64::from(fraction) * (f64::from(fraction).ln() - log(probability));
            }
        }
        let confidence = f64::from(probabilities[named]);
        let bin = ((confidence * CALIBRATION_BINS as f64) as usize).min(CALIBRATION_BINS - 1);
        self.bins[bin].0 += 1;
        self.bins[bin].1 += confidence;
        self.bins[bin].2 += u32::from(named == truth.index());
    }

    fn metrics(&self) -> Metrics {
        let clips: u32 = self.confusion.iter().flatten().sum();
        let share = |part: f64, whole: u32| if whole == 0 { 0.0 } else { part / f64::from(whole) };
        let emotions: [Scores; EMOTIONS] = std::array::from_fn(|emotion| {
            let right = self.confusion[emotion][emotion];
            let support: u32 = self.confusion[emotion].iter().sum();
            let named: u32 = self.confusion.iter().map(|row| row[emotion]).sum();
            let (precision, recall) = (share(f64::from(right), named), share(f64::from(right), support));
            Scores { precision, recall, f1: share(2.0 * f64::from(right), named + support), support }
        });
        let occurring = emotions.iter().filter(|scores| scores.support > 0).count() as u32;
        let mean = |score: fn(&Scores) -> f64| {
            share(emotions.iter().filter(|scores| scores.support > 0).map(score).sum(), occurring)
        };
        let right: u32 = (0..EMOTIONS).map(|emotion| self.confusion[emotion][emotion]).sum();
        let ece = self.bins.iter().map(|&(_, confidence, right)| (confidence - f64::from(right)).abs()).sum();
        Metrics {
            clips,
            confusion: self.confusion,
            macro_precision: mean(|scores| scores.precision),
            macro_recall: mean(|scores| scores.recall),
            macro_f1: mean(|scores| scores.f1),
            micro_f1: share(f64::from(right), clips),
            loss: share(self.loss, clips),
            kl_to_votes: share(self.kl, clips),
            ece: share(ece, clips),
            emotions,
        }
    }
}

impl Metrics {
    /// Measures `predictions`; all zero without any.
    pub fn of<'a>(predictions: impl IntoIterator<Item = &'a Prediction>) -> Self {
        let mut sums = Sums::default();
        predictions.into_iter().for_each(|prediction| sums.add(prediction));
        sums.metrics()
    }
}

/// Where `probabilities` are largest; among equals the first.
pub fn largest(probabilities: &[f32; EMOTIONS]) -> usize {
    (1..EMOTIONS).fold(0, |best, emotion| if probabilities[emotion] > probabilities[best] { emotion } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clip of `truth`, of which `named` is said with `confidence`.
    pub fn prediction(subject: usize, truth: usize, named: usize, confidence: f32) -> Prediction {
        let mut probabilities = [(1.0 - confidence) / 5.0; EMOTIONS];
        probabilities[named] = confidence;
        let mut fractions = [0.0; EMOTIONS];
        fractions[truth] = 1.0;
        Prediction { subject, truth: Emotion::ALL[truth], fractions, probabilities }
    }

    #[test]
    fn scores_follow_their_definitions() {
        // Of anger: 2 right, 1 missed (named disgust); of disgust: 1 right; fear named once, wrongly.
        let said = [(0, 0), (0, 0), (0, 1), (1, 1), (1, 2)];
        let metrics = Metrics::of(&said.map(|(truth, named)| prediction(0, truth, named, 0.9)));
        let [anger, disgust, fear, ..] = metrics.emotions;
        assert_eq!((anger.precision, anger.support), (1.0, 3));
        assert!((anger.recall - 2.0 / 3.0).abs() < 1e-12 && (anger.f1 - 0.8).abs() < 1e-12);
        assert_eq!((disgust.precision, disgust.recall, disgust.f1), (0.5, 0.5, 0.5));
        assert_eq!((fear.precision, fear.recall, fear.f1), (0.0, 0.0, 0.0));
        assert!((metrics.macro_f1 - 0.65).abs() < 1e-12, "over the two emotions that occur");
        assert!((metrics.micro_f1 - 0.6).abs() < 1e-12);
        assert!((metrics.ece - 0.3).abs() < 1e-6, "said 0.9, right in 0.6 of the cases");
        let nats = -(3.0 * 0.9_f64.ln() + 2.0 * 0.02_f64.ln()) / 5.0;
        assert!((metrics.loss - nats).abs() < 1e-5 && (metrics.kl_to_votes - nats).abs() < 1e-5);
    }

    #[test]
    fn nothing_is_measured_as_nothing() {
        assert_eq!(Metrics::of(&[]), Metrics::default());
    }
}
