//! Raters as CREMA-D's: how often each intended emotion is taken for which, and how much raters disagree.
//!
//! The figures below were computed from CREMA-D's `tabulatedVotes.csv` (Cao et al. 2014, Open Database License), from the
//! 7,442 rows of raters who saw the face alone.

use super::synthetic::draw;
use emofed::emotion::EMOTIONS;
use emofed::random::SplitMix64;
use serde::{Deserialize, Serialize};

/// Mean vote fractions, one row for each intended emotion.
const CONFUSION: [[f64; EMOTIONS]; EMOTIONS] = [
    [0.5654, 0.1922, 0.0460, 0.0288, 0.1426, 0.0249],
    [0.0809, 0.5417, 0.1032, 0.0130, 0.0594, 0.2018],
    [0.0909, 0.1031, 0.4377, 0.0157, 0.2155, 0.1371],
    [0.0087, 0.0136, 0.0092, 0.8754, 0.0861, 0.0069],
    [0.0449, 0.0779, 0.0410, 0.0421, 0.7144, 0.0798],
    [0.0344, 0.1001, 0.1207, 0.0161, 0.4093, 0.3194],
];

/// Dirichlet concentration of the clips' true vote shares around a row of [`CONFUSION`], by the method of moments.
const CONCENTRATION: [f64; EMOTIONS] = [3.02, 3.03, 3.21, 5.18, 9.68, 3.55];

/// Clips of each intended emotion.
const CLIPS: [f64; EMOTIONS] = [1271.0, 1271.0, 1271.0, 1271.0, 1087.0, 1271.0];

/// How many clips had 6, 7, … 12 raters.
const RATERS: [(u32, u32); 7] = [(6, 9), (7, 76), (8, 460), (9, 2151), (10, 4185), (11, 553), (12, 8)];

/// Mean over the clips of the largest vote fraction.
const MEAN_MAXIMUM: f64 = 0.7006;

/// Clips drawn for a calibration.
const DRAWS: usize = 4_000;

/// Statistics of a set's votes: what the generator is calibrated on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoteStatistics {
    /// Mean over the clips of the largest vote fraction.
    pub mean_maximum: f64,
    /// Mean over the clips of the fractions' entropy, in nats.
    pub entropy: f64,
    /// Share of clips with each emotion as majority.
    pub balance: [f64; EMOTIONS],
}

/// CREMA-D's own.
pub const CREMA_D: VoteStatistics = VoteStatistics {
    mean_maximum: MEAN_MAXIMUM,
    entropy: 0.6992,
    balance: [0.1498, 0.1603, 0.1240, 0.1732, 0.2874, 0.1052],
};

impl VoteStatistics {
    /// Of `votes`, each weighted by its clip's weight.
    pub fn of(votes: impl IntoIterator<Item = ([u32; EMOTIONS], f64)>) -> Self {
        let mut sums = Self { mean_maximum: 0.0, entropy: 0.0, balance: [0.0; EMOTIONS] };
        let mut weights = 0.0;
        for (counts, weight) in votes {
            let all = f64::from(counts.iter().sum::<u32>().max(1));
            let most = counts.iter().max().copied().unwrap_or(0);
            sums.mean_maximum += weight * f64::from(most) / all;
            let shares = counts.iter().filter(|&&count| count > 0).map(|&count| f64::from(count) / all);
            sums.entropy -= weight * shares.map(|share| share * share.ln()).sum::<f64>();
            sums.balance[counts.iter().position(|&count| count == most).unwrap_or(0)] += weight;
            weights += weight;
        }
        let mean = |sum: f64| sum / f64::max(weights, 1e-12);
        Self { mean_maximum: mean(sums.mean_maximum), entropy: mean(sums.entropy), balance: sums.balance.map(mean) }
    }
}

/// Raters that disagree as much as CREMA-D's.
pub struct Raters {
    concentration: [f64; EMOTIONS],
}

impl Raters {
    /// Scales [`CONCENTRATION`] until the mean maximum of drawn votes is CREMA-D's (bisection): the moments were fitted
    /// for each emotion alone, and rounding and the raters' small numbers leave a little to correct.
    pub fn calibrated(seed: u64) -> Self {
        let (mut low, mut high) = (0.25_f64, 4.0_f64);
        for _ in 0..12 {
            let middle = (low * high).sqrt();
            // Less concentration is less disagreement within a clip: votes agree more.
            let agree_too_much = Self::scaled(middle).statistics(seed).mean_maximum > MEAN_MAXIMUM;
            if agree_too_much { low = middle } else { high = middle }
        }
        Self::scaled((low * high).sqrt())
    }

    fn scaled(factor: f64) -> Self {
        Self { concentration: CONCENTRATION.map(|concentration| factor * concentration) }
    }

    /// Statistics of votes drawn in CREMA-D's mix of intended emotions.
    pub fn statistics(&self, seed: u64) -> VoteStatistics {
        let mut random = SplitMix64::new(seed);
        let draws = (0..DRAWS).map(|draw| {
            let intended = draw % EMOTIONS;
            let shown = self.perceived(intended, &mut random);
            (self.vote(&shown, &mut random), CLIPS[intended])
        });
        VoteStatistics::of(draws)
    }

    /// How a clip of `intended` is seen by very many raters: Dirichlet around the confusions' row.
    pub fn perceived(&self, intended: usize, random: &mut SplitMix64) -> [f64; EMOTIONS] {
        let shares = CONFUSION[intended].map(|share| gamma(self.concentration[intended] * share, random));
        let sum: f64 = shares.iter().sum();
        if sum > 0.0 { shares.map(|share| share / sum) } else { CONFUSION[intended] }
    }

    /// Votes of six to twelve raters on a clip that is seen as `shown`.
    pub fn vote(&self, shown: &[f64; EMOTIONS], random: &mut SplitMix64) -> [u32; EMOTIONS] {
        let all: u32 = RATERS.iter().map(|(_, clips)| clips).sum();
        let mut place = random.below(all as usize) as u32;
        let mut raters = RATERS[0].0;
        for (count, clips) in RATERS {
            raters = count;
            if place < clips {
                break;
            }
            place -= clips;
        }
        let mut votes = [0; EMOTIONS];
        for _ in 0..raters {
            votes[draw(shown, random)] += 1;
        }
        votes
    }
}

/// Gamma-distributed with `shape` and scale 1 (Marsaglia and Tsang 2000).
pub(super) fn gamma(shape: f64, random: &mut SplitMix64) -> f64 {
    if shape < 1.0 {
        return gamma(shape + 1.0, random) * random.open_unit().powf(1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = f64::from(random.normal());
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && random.open_unit().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_disagree_as_crema_ds_do() {
        let found = Raters::calibrated(1).statistics(2);
        assert!((found.mean_maximum - CREMA_D.mean_maximum).abs() < 0.01, "{found:?}");
        assert!((found.entropy - CREMA_D.entropy).abs() < 0.05, "{found:?}");
        for (found, real) in found.balance.iter().zip(CREMA_D.balance) {
            assert!((found - real).abs() < 0.05, "{found} for {real}");
        }
    }

    #[test]
    fn gamma_has_its_mean_and_variance() {
        let mut random = SplitMix64::new(3);
        for shape in [0.2, 1.0, 5.0] {
            let values: Vec<f64> = (0..40_000).map(|_| gamma(shape, &mut random)).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
            assert!(
                (mean / shape - 1.0).abs() < 0.05 && (variance / shape - 1.0).abs() < 0.1,
                "{shape}: {mean} {variance}"
            );
        }
    }
}
