//! Krum and Multi-Krum (Blanchard et al. 2017): the updates that are nearest to the others.

use super::{Block, Blocks, UpdateSource, for_each_block, joined};

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

/// Sums that are carried side by side, so that additions do not wait for each other.
const LANES: usize = 8;

/// Computes the distances from differences in `f64`, not from a Gram matrix, whose rounding would hide the distances of updates
/// that are longer than they are far apart.
///
/// Beside its result, it needs a block, and twice as much of [`Blocks::STRIP`] coordinates of each update.
///
/// # Errors
/// An update cannot be read.
pub fn squared_distances<S: UpdateSource>(source: &S, blocks: Blocks) -> Result<SquaredDistances, S::Error> {
    let clients = source.clients();
    let mut rows: Vec<Vec<f64>> = (0..clients).map(|row| vec![0.0; row]).collect();
    let mut strip = Vec::new();
    for_each_block(source, blocks, |block| {
        for from in (0..block.width).step_by(Blocks::STRIP) {
            let width = Blocks::STRIP.min(block.width - from);
            widen(block, from, width, &mut strip);
            add_strip(&strip, width.next_multiple_of(LANES), blocks.threads, &mut rows);
        }
    })?;
    Ok(SquaredDistances { rows })
}

/// Columns of a block in `f64`, each row padded with zeros to whole numbers of lanes.
fn widen(block: &Block<'_>, from: usize, width: usize, strip: &mut Vec<f64>) {
    let padding = width.next_multiple_of(LANES) - width;
    strip.clear();
    for row in block.rows.chunks_exact(block.width) {
        strip.extend(row[from..][..width].iter().map(|value| f64::from(*value)));
        strip.extend(std::iter::repeat_n(0.0, padding));
    }
}

/// Adds what the columns of `strip` `[clients, width]` contribute to each pair.
fn add_strip(strip: &[f64], width: usize, threads: usize, distances: &mut [Vec<f64>]) {
    let threads = threads.max(1);
    // Rows in turn: a later one has more pairs.
    let mut shares: Vec<Vec<(usize, &mut Vec<f64>)>> = (0..threads).map(|_| Vec::new()).collect();
    for (row, distances) in distances.iter_mut().enumerate() {
        shares[row % threads].push((row, distances));
    }
    let work = |share: Vec<(usize, &mut Vec<f64>)>| {
        for (row, distances) in share {
            let one = &strip[row * width..][..width];
            let others = strip.chunks_exact(width);
            distances.iter_mut().zip(others).for_each(|(distance, other)| *distance += squared_distance(one, other));
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

fn squared_distance(one: &[f64], other: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    for (one, other) in one.as_chunks::<LANES>().0.iter().zip(other.as_chunks::<LANES>().0) {
        for ((sum, one), other) in sums.iter_mut().zip(one).zip(other) {
            let difference = one - other;
            *sum += difference * difference;
        }
    }
    sums.iter().sum()
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
