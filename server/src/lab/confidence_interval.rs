//! Bootstrap intervals: how much of a figure is luck of the subjects and seeds that were drawn.

use emofed::random::SplitMix64;
use serde::{Deserialize, Serialize};

use super::metrics::{Metrics, Prediction};

/// Resamples of an interval.
const RESAMPLES: usize = 1_000;

/// A figure with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfidenceInterval {
    /// The figure itself, mean over seeds.
    pub value: f64,
    /// 2.5th percentile of the resamples.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
}

impl ConfidenceInterval {
    /// Whether 0 is inside, as of a difference that is within noise.
    pub fn includes_zero(&self) -> bool {
        self.low <= 0.0 && self.high >= 0.0
    }

    /// The 95 % interval of `value` by the percentiles of `resampled`.
    pub fn from_resamples(value: f64, mut resampled: Vec<f64>) -> Self {
        resampled.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (share * resampled.len().saturating_sub(1) as f64).round() as usize;
            resampled.get(index).copied().unwrap_or(value)
        };
        Self { value, low: at(0.025), high: at(0.975) }
    }

    /// The 95 % interval of the mean of `values`, one a seed, resampling seeds alone.
    pub fn over_seeds(values: &[f64], seed: u64) -> Self {
        let mean = |values: &mut dyn Iterator<Item = f64>, count: usize| values.sum::<f64>() / count.max(1) as f64;
        let mut random = SplitMix64::new(seed);
        let resampled = (0..RESAMPLES)
            .map(|_| mean(&mut (0..values.len()).map(|_| values[random.below(values.len())]), values.len()))
            .collect();
        Self::from_resamples(mean(&mut values.iter().copied(), values.len()), resampled)
    }
}

/// One run's predictions, grouped by subject: what is resampled together.
struct BySubject<'a>(Vec<Vec<&'a Prediction>>);

impl<'a> BySubject<'a> {
    fn new(predictions: &'a [Prediction]) -> Self {
        let subjects = predictions.iter().map(|prediction| prediction.subject + 1).max().unwrap_or(0);
        let mut groups = vec![Vec::new(); subjects];
        for prediction in predictions {
            groups[prediction.subject].push(prediction);
        }
        groups.retain(|group| !group.is_empty());
        Self(groups)
    }

    fn resampled(&self, drawn: &[usize]) -> Metrics {
        Metrics::of(drawn.iter().flat_map(|&group| self.0[group].iter().copied()))
    }
}

/// `statistic` of runs (one a seed), averaged over them, with its interval over seeds and, within each, over subjects.
pub fn confidence_interval(
    runs: &[Vec<Prediction>],
    statistic: impl Fn(&Metrics) -> f64,
    seed: u64,
) -> ConfidenceInterval {
    let pairs: Vec<(&[Prediction], &[Prediction])> = runs.iter().map(|run| (run.as_slice(), [].as_slice())).collect();
    resample(&pairs, |run, _| statistic(run), seed)
}

/// The difference of `statistic` between the second and the first of each pair of runs on the same clips, averaged over
/// pairs, with its interval over seeds and, within each, over subjects: both of a pair see the same resample.
pub fn difference(
    pairs: &[(&[Prediction], &[Prediction])],
    statistic: impl Fn(&Metrics) -> f64,
    seed: u64,
) -> ConfidenceInterval {
    resample(pairs, |before, after| statistic(after) - statistic(before), seed)
}

fn resample(
    pairs: &[(&[Prediction], &[Prediction])],
    statistic: impl Fn(&Metrics, &Metrics) -> f64,
    seed: u64,
) -> ConfidenceInterval {
    let groups: Vec<(BySubject, BySubject)> =
        pairs.iter().map(|(first, second)| (BySubject::new(first), BySubject::new(second))).collect();
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let value =
        mean(pairs.iter().map(|(first, second)| statistic(&Metrics::of(*first), &Metrics::of(*second))).collect());
    let mut random = SplitMix64::new(seed);
    let mut drawn = Vec::new();
    let resampled = (0..RESAMPLES)
        .map(|_| {
            let values = (0..groups.len()).map(|_| {
                let (first, second) = &groups[random.below(groups.len())];
                drawn.clear();
                drawn.extend((0..first.0.len()).map(|_| random.below(first.0.len())));
                let second = if second.0.is_empty() { Metrics::default() } else { second.resampled(&drawn) };
                statistic(&first.resampled(&drawn), &second)
            });
            mean(values.collect())
        })
        .collect();
    ConfidenceInterval::from_resamples(value, resampled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use emofed::emotion::{EMOTIONS, Emotion};

    fn run(right_of_ten: usize) -> Vec<Prediction> {
        (0..60)
            .map(|index| {
                let truth = index % EMOTIONS;
                let named = if index / EMOTIONS < right_of_ten { truth } else { (truth + 1) % EMOTIONS };
                let mut probabilities = [0.0; EMOTIONS];
                probabilities[named] = 1.0;
                Prediction {
                    subject: index % 20,
                    truth: Emotion::ALL[truth],
                    fractions: [0.0; EMOTIONS],
                    probabilities,
                }
            })
            .collect()
    }

    #[test]
    fn an_interval_holds_its_figure_and_a_clear_difference_excludes_zero() {
        let (worse, better) = (run(5), run(8));
        let found = confidence_interval(&[worse.clone(), worse.clone()], |metrics| metrics.micro_f1, 1);
        assert!((found.value - 0.5).abs() < 1e-12 && found.low < 0.5 && found.high > 0.5, "{found:?}");
        let gain = difference(&[(&worse, &better)], |metrics| metrics.micro_f1, 1);
        assert!((gain.value - 0.3).abs() < 1e-12 && !gain.includes_zero(), "{gain:?}");
        let none = difference(&[(&worse, &worse)], |metrics| metrics.macro_f1, 1);
        assert_eq!((none.low, none.high), (0.0, 0.0));
    }

    #[test]
    fn seeds_alone() {
        let found = ConfidenceInterval::over_seeds(&[1.0, 2.0, 3.0, 4.0], 1);
        assert!((found.value - 2.5).abs() < 1e-12 && found.low >= 1.0 && found.high <= 4.0 && found.low < found.high);
    }
}
