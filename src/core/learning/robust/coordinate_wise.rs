//! Median and trimmed mean of each coordinate (Yin et al. 2018).

use super::sorting_network::SortingNetwork;
use super::{Block, Blocks, UpdateSource, for_each_block};
use crate::learning::joined;
use crate::learning::strategy::trimmed;
use crate::simd::{Isa, Operation, Simd, dispatch};

/// A rule for the values of one coordinate. Each client counts once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CoordinateWise {
    /// The middle value; the mean of the two middle ones where their number is even.
    Median,
    /// The mean without a share of the smallest and as many of the largest.
    TrimmedMean {
        /// The share at either end, 0 to 0.5, rounded down to a number of clients.
        trim: f64,
    },
}

impl CoordinateWise {
    /// Places in sorted order of the values whose mean is taken.
    fn kept(self, clients: usize) -> std::ops::Range<usize> {
        let left_out = match self {
            Self::Median => clients.saturating_sub(1) / 2,
            Self::TrimmedMean { trim } => trimmed(trim, clients),
        };
        left_out..clients - left_out
    }
}

/// Columns that are sorted at once.
const LANES: usize = 32;
/// Most updates whose columns are sorted by a network: with more, a column each is selected from.
const MOST_WIRES: usize = 512;

/// Adds the aggregate of each coordinate to `model`, which holds the base: the values of all tensors, in order.
///
/// Beside `model`, it needs a block and, for each thread, 128 bytes an update.
///
/// # Errors
/// An update cannot be read.
///
/// # Panics
/// There is no update, or `model` has not as many coordinates as the updates.
pub fn aggregate_coordinates<S: UpdateSource>(
    rule: CoordinateWise,
    source: &S,
    blocks: Blocks,
    model: &mut [f32],
) -> Result<(), S::Error> {
    let clients = source.clients();
    assert!(clients > 0 && model.len() == source.coordinates(), "updates fit the model");
    let kept = rule.kept(clients);
    let network = (clients <= MOST_WIRES).then(|| SortingNetwork::new(clients, kept.clone()));
    for_each_block(source, blocks, |block| {
        let model = &mut model[block.first..][..block.width];
        let share = block.width.div_ceil(blocks.threads.max(1)).next_multiple_of(LANES);
        std::thread::scope(|scope| {
            let (network, kept) = (network.as_ref(), &kept);
            let threads: Vec<_> = model
                .chunks_mut(share)
                .enumerate()
                .map(|(index, model)| {
                    scope.spawn(move || match network {
                        Some(network) => {
                            let from = index * share;
                            dispatch!(Isa::best(), simd => simd.call(ByNetwork { simd, network, kept, block, from, model }));
                        }
                        None => by_selection(kept, block, index * share, model),
                    })
                })
                .collect();
            threads.into_iter().for_each(joined);
        });
    })
}

/// Adds to the part of `model` that begins at column `from` of the block. It compares and adds in `f64`, so that all instruction sets give
/// the same bits.
struct ByNetwork<'a, S> {
    simd: S,
    network: &'a SortingNetwork,
    kept: &'a std::ops::Range<usize>,
    block: &'a Block<'a>,
    from: usize,
    model: &'a mut [f32],
}

impl<S: Simd> Operation for ByNetwork<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { simd, network, kept, block, from, model } = self;
        let mut wires = vec![[0.0; LANES]; block.rows.len() / block.width];
        for (group, model) in model.chunks_mut(LANES).enumerate() {
            let (column, width) = (from + group * LANES, model.len());
            for (wire, row) in wires.iter_mut().zip(block.rows.chunks_exact(block.width)) {
                // Of −0 and 0, which compare as equal, sorting may give either.
                wire[..width].iter_mut().zip(&row[column..][..width]).for_each(|(wire, value)| *wire = value + 0.0);
            }
            network.sort(simd, &mut wires);
            let mut sums = [0.0_f64; LANES];
            for wire in &wires[kept.clone()] {
                sums.iter_mut().zip(wire).for_each(|(sum, value)| *sum += f64::from(*value));
            }
            model.iter_mut().zip(sums).for_each(|(value, sum)| add(value, sum, kept.len()));
        }
    }
}

/// The same with one column after the other.
fn by_selection(kept: &std::ops::Range<usize>, block: &Block<'_>, from: usize, model: &mut [f32]) {
    let mut column = vec![0.0_f32; block.rows.len() / block.width];
    for (offset, value) in model.iter_mut().enumerate() {
        for (found, row) in column.iter_mut().zip(block.rows.chunks_exact(block.width)) {
            *found = row[from + offset] + 0.0;
        }
        // Two partitions leave what is kept between them; in sorted order its sum does not depend on the order of updates.
        if kept.start > 0 {
            column.select_nth_unstable_by(kept.start, f32::total_cmp);
        }
        let upper = &mut column[kept.start..];
        if kept.len() < upper.len() {
            upper.select_nth_unstable_by(kept.len(), f32::total_cmp);
        }
        let middle = &mut upper[..kept.len()];
        middle.sort_unstable_by(f32::total_cmp);
        add(value, middle.iter().map(|value| f64::from(*value)).sum(), kept.len());
    }
}

#[inline(always)]
fn add(value: &mut f32, sum: f64, count: usize) {
    *value = (f64::from(*value) + sum / count as f64) as f32;
}
