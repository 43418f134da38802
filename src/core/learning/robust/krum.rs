//! Krum and Multi-Krum (Blanchard et al. 2017): the updates that are nearest to the others.

use super::{Block, Blocks, UpdateSource, for_each_block};
use crate::learning::joined;
use crate::simd::{Isa, Operation, Simd, Vector, dispatch};

/// Squared Euclidean distances of all pairs of updates: half of the matrix, 4 bytes · clients² in all.
#[derive(Clone, Debug, PartialEq)]
pub struct SquaredDistances {
    /// Row `i` has the distances to the updates before `i`.
    rows: Vec<Vec<f64>>,
}

impl SquaredDistances {
    /// The squared distance of two updates.
    pub fn between(&self, one: usize, other: usize) -> f64 {
        match one.cmp(&other) {
            std::cmp::Ordering::Equal => 0.0,
            std::cmp::Ordering::Greater => self.rows[one][other],
            std::cmp::Ordering::Less => self.rows[other][one],
        }
    }
}

/// Rows of a tile: the distances of three updates to three others are summed at once. Their sums, three vectors and a difference fit
/// 16 registers.
const TILE: usize = 3;

/// Computes the distances from differences, not from a Gram matrix, whose rounding would hide the distances of updates that are
/// longer than they are far apart.
///
/// A difference, its square, and the sum over the lanes' shares of [`Blocks::STRIP`] coordinates are `f32`, everything beyond is `f64`.
/// All terms are positive, so that a distance's relative error is below (`STRIP` / lanes + 4) · 2⁻²⁴, at most 8e-6 with vectors of four,
/// whatever the updates' lengths are; tests find it below 1e-6. Differences below 1e-19, whose squares `f32` cannot hold, count less
/// or as 0. A strip whose sum is too large for `f32` is summed in `f64`.
///
/// Beside its result, it needs a block and, for each thread, a strip of [`Blocks::STRIP`] coordinates of each update.
///
/// # Errors
/// An update cannot be read.
pub fn squared_distances<S: UpdateSource>(source: &S, blocks: Blocks) -> Result<SquaredDistances, S::Error> {
    squared_distances_on(Isa::best(), source, blocks)
}

/// The same with a given instruction set.
pub(super) fn squared_distances_on<S: UpdateSource>(
    isa: Isa,
    source: &S,
    blocks: Blocks,
) -> Result<SquaredDistances, S::Error> {
    let clients = source.clients();
    let mut rows: Vec<Vec<f64>> = (0..clients).map(|row| vec![0.0; row]).collect();
    for_each_block(source, blocks, |block| add_block(isa, block, blocks.threads, &mut rows))?;
    Ok(SquaredDistances { rows })
}

/// A thread's rows of distances, up to [`TILE`] at a time, each time with the number of the first.
type Share<'a> = Vec<(usize, &'a mut [Vec<f64>])>;

/// Adds what a block contributes to each pair. A pair is of one thread, so that its strips are added in their order.
fn add_block(isa: Isa, block: &Block<'_>, threads: usize, rows: &mut [Vec<f64>]) {
    let threads = threads.clamp(1, rows.len().div_ceil(TILE).max(1));
    // Rows in turn: a later one has more pairs.
    let mut shares: Vec<Share<'_>> = (0..threads).map(|_| Vec::new()).collect();
    for (index, rows) in rows.chunks_mut(TILE).enumerate() {
        shares[index % threads].push((index * TILE, rows));
    }
    let work = |mut share: Share<'_>| {
        let mut strip = Vec::new();
        for from in (0..block.width).step_by(Blocks::STRIP) {
            copy_strip(block, from, &mut strip);
            dispatch!(isa, simd => simd.call(AddStrip { simd, strip: &strip, share: &mut share }));
        }
    };
    std::thread::scope(|scope| {
        let mut shares = shares.into_iter();
        let own = shares.next();
        let others: Vec<_> = shares.map(|share| scope.spawn(|| work(share))).collect();
        own.into_iter().for_each(work);
        others.into_iter().for_each(joined);
    });
}

/// The columns of a block from `from` on, one row behind the other: rows are `STRIP` long and their number is a multiple of [`TILE`], both
/// filled up with zeros.
fn copy_strip(block: &Block<'_>, from: usize, strip: &mut Vec<f32>) {
    let width = Blocks::STRIP.min(block.width - from);
    let rows = block.rows.chunks_exact(block.width);
    strip.resize(rows.len().next_multiple_of(TILE) * Blocks::STRIP, 0.0);
    for (copy, row) in strip.chunks_exact_mut(Blocks::STRIP).zip(rows) {
        copy[..width].copy_from_slice(&row[from..][..width]);
        copy[width..].fill(0.0);
    }
}

/// Adds what a strip contributes to the pairs of a thread.
struct AddStrip<'a, 'b, S> {
    simd: S,
    /// `[clients, STRIP]`
    strip: &'a [f32],
    share: &'a mut Share<'b>,
}

impl<S: Simd> Operation for AddStrip<'_, '_, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { simd, strip, share } = self;
        let tile = |first: usize| -> [&[f32]; TILE] {
            std::array::from_fn(|row| &strip[(first + row) * Blocks::STRIP..][..Blocks::STRIP])
        };
        for (first, rows) in share.iter_mut() {
            let ones = tile(*first);
            for from in (0..=*first).step_by(TILE) {
                let others = tile(from);
                let sums = tile_distances(simd, ones, others);
                for (row, (distances, sums)) in rows.iter_mut().zip(sums).enumerate() {
                    // In the tile on the diagonal a row has only the pairs before it.
                    let pairs = distances[from..].iter_mut().zip(sums).zip(others);
                    for ((distance, sum), other) in pairs {
                        *distance += if sum.is_finite() { sum } else { wide_distance(ones[row], other) };
                    }
                }
            }
        }
    }
}

/// Squared distances of each of `ones` to each of `others`.
#[inline(always)]
fn tile_distances<S: Simd>(simd: S, ones: [&[f32]; TILE], others: [&[f32]; TILE]) -> [[f64; TILE]; TILE] {
    let [a, b, c] = ones.map(S::chunks);
    let [x, y, z] = others.map(S::chunks);
    let mut sums = [[simd.splat(0.0); TILE]; TILE];
    for (((((a, b), c), x), y), z) in a.iter().zip(b).zip(c).zip(x).zip(y).zip(z) {
        let others = [simd.load(x), simd.load(y), simd.load(z)];
        for (sums, one) in sums.iter_mut().zip([a, b, c]) {
            let one = simd.load(one);
            for (sum, other) in sums.iter_mut().zip(others) {
                let difference = one - other;
                *sum = sum.add_product(difference, difference);
            }
        }
    }
    let mut totals = [[0.0; TILE]; TILE];
    for (total, sum) in totals.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
        *total = sum.to_lanes().as_ref().iter().map(|lane| f64::from(*lane)).sum();
    }
    totals
}

/// The same of one pair in `f64`.
#[cold]
fn wide_distance(one: &[f32], other: &[f32]) -> f64 {
    one.iter().zip(other).map(|(one, other)| (f64::from(*one) - f64::from(*other)).powi(2)).sum()
}

/// The `selected` updates with the lowest scores, in their order. The score of an update is the sum of its squared distances to
/// the `clients − byzantine − 2` that are nearest to it; of equal scores the earlier update wins.
pub fn select(distances: &SquaredDistances, byzantine: usize, selected: usize) -> Vec<usize> {
    let clients = distances.rows.len();
    let neighbours = clients.saturating_sub(byzantine + 2);
    let mut scores: Vec<(f64, usize)> = (0..clients)
        .map(|one| {
            let others = (0..clients).filter(|other| *other != one);
            let mut near: Vec<f64> = others.map(|other| distances.between(one, other)).collect();
            near.sort_unstable_by(f64::total_cmp);
            (near[..neighbours].iter().sum(), one)
        })
        .collect();
    scores.sort_unstable_by(|(a, one), (b, other)| a.total_cmp(b).then(one.cmp(other)));
    let mut nearest: Vec<usize> = scores.into_iter().take(selected).map(|(_, client)| client).collect();
    nearest.sort_unstable();
    nearest
}
