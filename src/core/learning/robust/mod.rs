//! Robust aggregation: rules that compare single updates, so that a few of any size move the result by little. No I/O: updates come
//! from an [`UpdateSource`], a block of coordinates at a time.
//!
//! Results do not depend on the size of blocks or the number of threads, to the bit.

mod coordinate_wise;
mod krum;
mod sorting_network;

pub use self::coordinate_wise::{CoordinateWise, aggregate_coordinates};
pub use self::krum::{SquaredDistances, select, squared_distances};
use super::joined;

/// A round's deltas, of which any range of coordinates can be read. Coordinates are numbered through all tensors, in the order
/// of the tensors' names.
pub trait UpdateSource: Sync {
    /// Why values cannot be read.
    type Error: Send;

    /// How many updates there are.
    fn clients(&self) -> usize;

    /// How many coordinates each has.
    fn coordinates(&self) -> usize;

    /// Reads the coordinates from `first` on of the update `client`, counted from 0, until `out` is full.
    ///
    /// # Errors
    /// They cannot be read.
    fn read(&self, client: usize, first: usize, out: &mut [f32]) -> Result<(), Self::Error>;
}

/// How much is computed at once.
#[derive(Clone, Copy, Debug)]
pub struct Blocks {
    /// Bytes of a block, which holds the same coordinates of all updates as `f32`. At least [`Blocks::STRIP`] coordinates of
    /// each are in a block, whatever this is.
    pub bytes: usize,
    /// Threads that read and compute.
    pub threads: usize,
}

impl Blocks {
    /// Coordinates that are computed together; blocks are whole numbers of them.
    pub const STRIP: usize = 512;

    /// 32 MiB, on all cores.
    pub fn on_all_cores() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { bytes: 32 << 20, threads }
    }

    /// Coordinates in a block of `clients` updates.
    fn width(self, clients: usize) -> usize {
        let coordinates = self.bytes / (clients.max(1) * size_of::<f32>());
        (coordinates / Self::STRIP).max(1) * Self::STRIP
    }
}

/// The same coordinates of all updates.
struct Block<'a> {
    /// Number of the first coordinate.
    first: usize,
    /// Row-major `[clients, width]`.
    rows: &'a [f32],
    width: usize,
}

/// Reads block after block, all threads at once, and hands each to `work`.
fn for_each_block<S: UpdateSource>(
    source: &S,
    blocks: Blocks,
    mut work: impl FnMut(&Block<'_>),
) -> Result<(), S::Error> {
    let (clients, coordinates) = (source.clients(), source.coordinates());
    let width = blocks.width(clients).min(coordinates);
    let mut buffer = vec![0.0; clients * width];
    for first in (0..coordinates).step_by(width.max(1)) {
        let width = width.min(coordinates - first);
        let rows = &mut buffer[..clients * width];
        let share = clients.div_ceil(blocks.threads.max(1)).max(1);
        std::thread::scope(|scope| {
            let readers: Vec<_> = rows
                .chunks_mut(share * width)
                .enumerate()
                .map(|(index, rows)| {
                    scope.spawn(move || {
                        let mut rows = rows.chunks_exact_mut(width).enumerate();
                        rows.try_for_each(|(row, out)| source.read(index * share + row, first, out))
                    })
                })
                .collect();
            let results: Vec<_> = readers.into_iter().map(joined).collect();
            results.into_iter().collect::<Result<(), _>>()
        })?;
        work(&Block { first, rows, width });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
