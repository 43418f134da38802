//! Against naive references in `f64`, which load all updates and sort.

use super::krum::squared_distances_on;
use super::*;
use crate::learning::FedAvg;
use crate::random::SplitMix64;
use crate::simd::Isa;
use crate::weights::{Tensor, Weights};

/// Updates in memory.
struct InMemory(Vec<Vec<f32>>);

impl UpdateSource for InMemory {
    type Error = std::convert::Infallible;

    fn clients(&self) -> usize {
        self.0.len()
    }

    fn coordinates(&self) -> usize {
        self.0[0].len()
    }

    fn read(&self, client: usize, first: usize, out: &mut [f32]) -> Result<(), Self::Error> {
        out.copy_from_slice(&self.0[client][first..][..out.len()]);
        Ok(())
    }
}

const TWO_BLOCKS_OR_MORE: Blocks = Blocks { bytes: 0, threads: 2 };

/// Random updates with many ties and both zeros.
fn updates(clients: usize, coordinates: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut random = SplitMix64::new(seed);
    let mut value = || match random.below(4) {
        0 => 0.0,
        1 => -0.0,
        2 => (random.signed() * 4.0).round() / 4.0,
        _ => random.signed(),
    };
    (0..clients).map(|_| (0..coordinates).map(|_| value()).collect()).collect()
}

fn aggregate(rule: CoordinateWise, updates: Vec<Vec<f32>>, blocks: Blocks) -> Vec<f32> {
    let mut model = vec![-0.0; updates[0].len()];
    aggregate_coordinates(rule, &InMemory(updates), blocks, &mut model).unwrap();
    model
}

/// The rule by its definition.
fn naive(rule: CoordinateWise, updates: &[Vec<f32>]) -> Vec<f64> {
    let of = |coordinate: usize| {
        let mut values: Vec<f64> = updates.iter().map(|update| f64::from(update[coordinate])).collect();
        values.sort_by(f64::total_cmp);
        let count = values.len();
        match rule {
            CoordinateWise::Median if count % 2 == 1 => values[count / 2],
            CoordinateWise::Median => (values[count / 2 - 1] + values[count / 2]) / 2.0,
            CoordinateWise::TrimmedMean { trim } => {
                let cut = (trim * count as f64) as usize;
                values[cut..count - cut].iter().sum::<f64>() / (count - 2 * cut) as f64
            }
        }
    };
    (0..updates[0].len()).map(of).collect()
}

const RULES: [CoordinateWise; 4] = [
    CoordinateWise::Median,
    CoordinateWise::TrimmedMean { trim: 0.125 },
    CoordinateWise::TrimmedMean { trim: 0.25 },
    CoordinateWise::TrimmedMean { trim: 0.45 },
];

#[test]
fn median_and_trimmed_mean_are_what_sorting_gives() {
    // Few and many, even and odd, by the network and by selection.
    for clients in [1, 2, 3, 4, 5, 8, 31, 64, 511, 512, 513, 600] {
        let updates = updates(clients, 700, clients as u64);
        for rule in RULES {
            let found = aggregate(rule, updates.clone(), TWO_BLOCKS_OR_MORE);
            for (found, expected) in found.iter().zip(naive(rule, &updates)) {
                assert!((f64::from(*found) - expected).abs() < 1e-7, "{rule:?} of {clients}: {found} for {expected}");
            }
        }
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn blocks_threads_and_the_order_of_updates_change_no_bit() {
    for clients in [7, 100, 520] {
        let mut updates = updates(clients, 2_100, 3);
        for rule in RULES {
            let whole = aggregate(rule, updates.clone(), Blocks { bytes: usize::MAX, threads: 1 });
            for (bytes, threads) in [(0, 1), (0, 3), (clients * 4 * 1_024, 2), (usize::MAX, 5)] {
                let found = aggregate(rule, updates.clone(), Blocks { bytes, threads });
                assert_eq!(bits(&found), bits(&whole), "{rule:?}, {bytes} bytes, {threads} threads");
            }
            updates.rotate_left(3);
            updates.swap(0, 5);
            assert_eq!(bits(&aggregate(rule, updates.clone(), TWO_BLOCKS_OR_MORE)), bits(&whole), "{rule:?}");
        }
        let source = InMemory(updates);
        for isa in Isa::available() {
            let distances = |blocks| squared_distances_on(isa, &source, blocks).unwrap();
            let whole = distances(Blocks { bytes: usize::MAX, threads: 1 });
            for (bytes, threads) in [(0, 1), (0, 3), (clients * 4 * 1_024, 2), (usize::MAX, 64)] {
                assert!(distances(Blocks { bytes, threads }) == whole, "{isa:?}, {bytes} bytes, {threads} threads");
            }
            let reversed = InMemory(source.0.iter().rev().cloned().collect());
            let reversed = squared_distances_on(isa, &reversed, TWO_BLOCKS_OR_MORE).unwrap();
            for (one, other) in (0..clients).flat_map(|one| (0..one).map(move |other| (one, other))) {
                let [one_reversed, other_reversed] = [one, other].map(|client| clients - 1 - client);
                assert_eq!(reversed.between(one_reversed, other_reversed), whole.between(one, other), "{isa:?}");
            }
        }
    }
}

fn naive_distance(one: &[f32], other: &[f32]) -> f64 {
    one.iter().zip(other).map(|(one, other)| (f64::from(*one) - f64::from(*other)).powi(2)).sum()
}

#[test]
fn distances_are_exact_to_a_millionth_however_long_updates_are() {
    for clients in [1, 2, 3, 4, 7, 9] {
        for coordinates in [1, 5, 511, 512, 513, 20_000] {
            for (length, apart) in [(0.0, 1e-5), (1.0, 1e-3), (1e4, 1e-2), (0.0, 1e12), (0.0, 3e19), (0.0, 1e38)] {
                let mut random = SplitMix64::new(clients as u64);
                let direction: Vec<f32> = (0..coordinates).map(|_| random.signed()).collect();
                let update = || direction.iter().map(|value| length * value + apart * random.signed()).collect();
                let updates: Vec<Vec<f32>> = std::iter::repeat_with(update).take(clients).collect();
                let source = InMemory(updates.clone());
                for isa in Isa::available() {
                    let found = squared_distances_on(isa, &source, TWO_BLOCKS_OR_MORE).unwrap();
                    for (one, other) in (0..clients).flat_map(|one| (0..clients).map(move |other| (one, other))) {
                        let expected = naive_distance(&updates[one], &updates[other]);
                        let error = (found.between(one, other) - expected).abs();
                        assert!(
                            error <= 1e-6 * expected,
                            "{isa:?}, {clients} × {coordinates}, {length} long and {apart} apart: off by {error} of {expected}"
                        );
                    }
                }
            }
        }
    }
}

/// Scores and selection by their definition, from all of everything.
fn naive_krum(updates: &[Vec<f32>], byzantine: usize, selected: usize) -> Vec<usize> {
    let score = |one: &Vec<f32>| {
        let mut distances: Vec<f64> = updates.iter().map(|other| naive_distance(one, other)).collect();
        distances.sort_by(f64::total_cmp);
        // The first is the update itself.
        distances[1..=updates.len() - byzantine - 2].iter().sum::<f64>()
    };
    let mut order: Vec<usize> = (0..updates.len()).collect();
    order.sort_by(|one, other| score(&updates[*one]).total_cmp(&score(&updates[*other])));
    order.truncate(selected);
    order.sort_unstable();
    order
}

#[test]
fn krum_selects_as_defined() {
    for (clients, byzantine, selected) in [(3, 0, 1), (5, 1, 1), (9, 3, 1), (12, 2, 5), (40, 10, 30)] {
        let mut random = SplitMix64::new(clients as u64);
        // Longer than they are far apart, where a Gram matrix in f32 would not do.
        let updates: Vec<Vec<f32>> = (0..clients)
            .map(|_| (0..1_300).map(|coordinate| coordinate as f32 + 0.01 * random.signed()).collect())
            .collect();
        let expected = naive_krum(&updates, byzantine, selected);
        let distances = squared_distances(&InMemory(updates), TWO_BLOCKS_OR_MORE).unwrap();
        assert_eq!(select(&distances, byzantine, selected), expected, "{clients} clients");
    }
    // Of equal scores the first.
    let distances = squared_distances(&InMemory(vec![vec![1.0; 3]; 7]), TWO_BLOCKS_OR_MORE).unwrap();
    assert_eq!(select(&distances, 2, 2), [0, 1]);
}

#[test]
fn an_attacker_moves_the_mean_but_not_the_robust_rules() {
    let mut honest = updates(9, 600, 5);
    let attacker = vec![1e6; 600];
    honest.push(attacker);
    for rule in RULES {
        // Never beyond the range of the honest values.
        let found = aggregate(rule, honest.clone(), TWO_BLOCKS_OR_MORE);
        assert!(found.iter().all(|value| value.abs() <= 1.0), "{rule:?}");
    }
    let distances = squared_distances(&InMemory(honest.clone()), TWO_BLOCKS_OR_MORE).unwrap();
    assert!(!select(&distances, 1, 8).contains(&9));
    let weights = |values: Vec<f32>| {
        let mut weights = Weights::new();
        weights.insert("w", Tensor::new([values.len()], values));
        weights
    };
    let mut mean = FedAvg::new(weights(vec![0.0; 600]));
    honest.into_iter().for_each(|update| mean.add(&weights(update), 1).unwrap());
    assert!(mean.finish().unwrap().get("w").unwrap().values.iter().all(|value| *value > 9e4));
}
