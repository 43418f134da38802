//! The matrix product that nearly all time is spent in: a micro-kernel that keeps a tile of the result in registers, over a
//! packed right factor.

use super::epilogue::Epilogue;
use crate::simd::{self, Operation, Row, Simd, Tile, VECTORS, Vector, add_outer, tile_rows, with_rows};

/// Products that are added to a tile in one turn of the loop.
const STEPS: usize = 8;

/// A right factor `[inner, columns]`, stored in panels as wide as a tile, the last one padded with zeros.
pub(crate) struct Packed<S: Simd> {
    simd: S,
    inner: usize,
    columns: usize,
    /// One row of a panel after the other.
    panels: Vec<Row<S>>,
}

impl<S: Simd> Packed<S> {
    /// An empty one for `inner` rows, to be filled by [`Self::push`].
    pub fn with_rows(simd: S, inner: usize, columns: usize) -> Self {
        Self { simd, inner, columns, panels: Vec::with_capacity(columns.div_ceil(simd::columns::<S>()) * inner) }
    }

    /// Appends the next row of a panel. Panels come one after the other, in each the rows from the first on.
    pub fn push(&mut self, row: Row<S>) {
        self.panels.push(row);
    }

    /// `out[rows, columns] = epilogue(left · self)`. Rows of `out` are `pitch` apart.
    pub fn multiply(&self, left: &Rows, epilogue: Option<Epilogue>, out: &mut [f32], pitch: usize) {
        self.simd.call(Multiply { right: self, left, epilogue, out, pitch });
    }
}

/// A left factor. Its rows are made of pieces of `values` that may overlap.
pub(crate) struct Rows<'a> {
    pub values: &'a [f32],
    /// Where each row begins.
    pub starts: &'a [usize],
    /// Values of a piece.
    pub length: usize,
    /// Values from the beginning of a piece to the next one's.
    pub pitch: usize,
}

/// [`Packed::multiply`].
struct Multiply<'a, S: Simd> {
    right: &'a Packed<S>,
    left: &'a Rows<'a>,
    epilogue: Option<Epilogue<'a>>,
    out: &'a mut [f32],
    pitch: usize,
}

impl<S: Simd> Operation for Multiply<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { right: Packed { simd, inner, columns, panels }, left, epilogue, out, pitch } = self;
        for (index, panel) in panels.chunks_exact(*inner).enumerate() {
            let column = index * simd::columns::<S>();
            let target =
                Target { pitch, column, width: simd::columns::<S>().min(columns - column), epilogue, place: column };
            let mut row = 0;
            while row < left.starts.len() {
                let starts = &left.starts[row..];
                let count = tile_rows::<S>(starts.len());
                with_rows!(S, count, R => {
                    if let Some(starts) = starts.first_chunk() {
                        tile::<S, R>(*simd, left, starts, panel, out, Target { place: column + row * pitch, ..target });
                    }
                });
                row += count;
            }
        }
    }
}

/// Where a tile goes.
#[derive(Clone, Copy)]
struct Target<'a> {
    /// Values from a row to the next.
    pitch: usize,
    /// The tile's first column.
    column: usize,
    /// Columns that there are: a tile's, or fewer at the end.
    width: usize,
    /// What happens on the way.
    epilogue: Option<Epilogue<'a>>,
    /// Where in the result the tile begins.
    place: usize,
}

/// `R` rows of one panel.
#[inline(always)]
fn tile<S: Simd, const R: usize>(
    simd: S,
    left: &Rows,
    starts: &[usize; R],
    panel: &[Row<S>],
    out: &mut [f32],
    target: Target,
) {
    let mut sums: Tile<S, R> = [[simd.splat(0.0); VECTORS]; R];
    for (piece, panel) in panel.chunks_exact(left.length).enumerate() {
        let mut rows: [&[f32]; R] = [&[]; R];
        for (row, start) in rows.iter_mut().zip(starts) {
            *row = &left.values[start + piece * left.pitch..][..left.length];
        }
        // Several steps at a time, since the addresses of each cost as much as a product.
        let (panels, rest) = panel.as_chunks::<STEPS>();
        let mut chunks: [&[[f32; STEPS]]; R] = [&[]; R];
        for (chunks, row) in chunks.iter_mut().zip(rows) {
            *chunks = &row.as_chunks().0[..panels.len()];
        }
        for (index, panel) in panels.iter().enumerate() {
            let mut factors: [&[f32; STEPS]; R] = [&[0.0; STEPS]; R];
            for (factors, chunks) in factors.iter_mut().zip(&chunks) {
                *factors = &chunks[index];
            }
            for (step, row) in panel.iter().enumerate() {
                add_outer(simd, &mut sums, |r| factors[r][step], row);
            }
        }
        for (k, row) in rest.iter().enumerate() {
            add_outer(simd, &mut sums, |r| rows[r][left.length - rest.len() + k], row);
        }
    }
    if target.width == simd::columns::<S>() {
        if let Some(epilogue) = &target.epilogue {
            epilogue.finish_tile(simd, &mut sums, target.column, (target.place, target.pitch));
        }
        for (r, [left, right]) in sums.into_iter().enumerate() {
            let row = &mut out[target.place + r * target.pitch..][..simd::columns::<S>()];
            left.store(&mut row[..S::LANES]);
            right.store(&mut row[S::LANES..]);
        }
        return;
    }
    for (r, sums) in sums.into_iter().enumerate() {
        for (vector, sum) in sums.into_iter().enumerate() {
            let first = vector * S::LANES;
            if first >= target.width {
                break;
            }
            let place = target.place + r * target.pitch + first;
            let sum = match &target.epilogue {
                Some(epilogue) => epilogue.apply(simd, sum, target.column + first, place),
                None => sum,
            };
            match target.width - first {
                width if width < S::LANES => out[place..][..width].copy_from_slice(&sum.to_lanes().as_ref()[..width]),
                _ => sum.store(&mut out[place..]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;
    use crate::simd::{Isa, dispatch};

    fn pack<S: Simd>(simd: S, b: &[f32], inner: usize, columns: usize) -> Packed<S> {
        let mut packed = Packed::with_rows(simd, inner, columns);
        for first in (0..columns).step_by(simd::columns::<S>()) {
            for k in 0..inner {
                let mut row = [S::zeros(); VECTORS];
                for (index, value) in row.iter_mut().flat_map(|lanes| lanes.as_mut()).enumerate() {
                    *value = if first + index < columns { b[k * columns + first + index] } else { 0.0 };
                }
                packed.push(row);
            }
        }
        packed
    }

    #[test]
    fn products_equal_the_definition() {
        let mut random = SplitMix64::new(1);
        for (rows, inner, columns) in [(1, 1, 1), (3, 5, 9), (7, 33, 24), (18, 64, 10), (29, 70, 65), (11, 8, 32)] {
            let stride = (inner + 3, columns + 2);
            let a: Vec<f32> = (0..(rows + 1) * stride.0).map(|_| random.signed()).collect();
            let b: Vec<f32> = (0..inner * columns).map(|_| random.signed()).collect();
            let starts: Vec<usize> = (1..=rows).map(|row| row * stride.0).collect();
            let left = Rows { values: &a, starts: &starts, length: inner, pitch: 0 };
            for isa in Isa::available() {
                let mut out = vec![7.0; rows * stride.1];
                dispatch!(isa, simd => pack(simd, &b, inner, columns).multiply(&left, None, &mut out, stride.1));
                for (index, value) in out.iter().enumerate() {
                    let (row, column) = (index / stride.1, index % stride.1);
                    if column >= columns {
                        assert_eq!(*value, 7.0, "only the result is written");
                        continue;
                    }
                    let exact: f64 = (0..inner)
                        .map(|k| f64::from(a[(row + 1) * stride.0 + k]) * f64::from(b[k * columns + column]))
                        .sum();
                    assert!((f64::from(*value) - exact).abs() < 1e-6 * inner as f64, "{isa:?}");
                }
            }
        }
    }
}
