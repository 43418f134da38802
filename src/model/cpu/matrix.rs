//! The matrix product that nearly all time is spent in: a micro-kernel that keeps a tile of the result in registers, over a
//! packed right factor.

use crate::simd::{self, Operation, Row, Simd, Tile, Vector, add_outer};

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

    /// The instruction set that it is packed for.
    #[inline(always)]
    pub fn simd(&self) -> S {
        self.simd
    }

    /// Appends the next row of a panel. Panels come one after the other, in each the rows from the first on.
    pub fn push(&mut self, row: Row<S>) {
        self.panels.push(row);
    }

    /// `out[rows, columns] = left · self`. Rows of `out` are `pitch` apart.
    pub fn multiply(&self, left: &Rows, out: &mut [f32], pitch: usize) {
        self.simd.call(Multiply { right: self, left, out, pitch });
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
    out: &'a mut [f32],
    pitch: usize,
}

impl<S: Simd> Operation for Multiply<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { right: Packed { simd, inner, columns, panels }, left, out, pitch } = self;
        for (index, panel) in panels.chunks_exact(*inner).enumerate() {
            let column = index * simd::columns::<S>();
            let target = Target { pitch, width: simd::columns::<S>().min(columns - column) };
            for (row, starts) in left.starts.chunks(S::ROWS).enumerate() {
                some_rows(*simd, left, starts, panel, &mut out[row * S::ROWS * pitch + column..], target);
            }
        }
    }
}

/// Where a tile goes.
#[derive(Clone, Copy)]
struct Target {
    /// Values from a row to the next.
    pitch: usize,
    /// Columns that there are: a tile's, or fewer at the end.
    width: usize,
}

/// At most [`Simd::ROWS`] rows, in as few tiles as may be.
#[inline(always)]
fn some_rows<S: Simd>(simd: S, left: &Rows, starts: &[usize], panel: &[Row<S>], out: &mut [f32], target: Target) {
    if let (12, Some(starts)) = (S::ROWS, starts.first_chunk()) {
        return tile::<S, 12>(simd, left, starts, panel, out, target);
    }
    if let (6, Some(starts)) = (S::ROWS, starts.first_chunk()) {
        return tile::<S, 6>(simd, left, starts, panel, out, target);
    }
    let (fours, rest) = starts.as_chunks();
    for (index, starts) in fours.iter().enumerate() {
        tile::<S, 4>(simd, left, starts, panel, &mut out[4 * index * target.pitch..], target);
    }
    if rest.is_empty() {
        return;
    }
    let out = &mut out[4 * fours.len() * target.pitch..];
    match *rest {
        [a] => tile(simd, left, &[a], panel, out, target),
        [a, b] => tile(simd, left, &[a, b], panel, out, target),
        [a, b, c] => tile(simd, left, &[a, b, c], panel, out, target),
        _ => {}
    }
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
    let mut sums: Tile<S, R> = [[simd.splat(0.0); 2]; R];
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
            let factors: [&[f32; STEPS]; R] = std::array::from_fn(|r| &chunks[r][index]);
            for (step, row) in panel.iter().enumerate() {
                add_outer(simd, &mut sums, factors.map(|factors| factors[step]), row);
            }
        }
        for (k, row) in rest.iter().enumerate() {
            add_outer(simd, &mut sums, rows.map(|row| row[left.length - rest.len() + k]), row);
        }
    }
    for (r, [a, b]) in sums.into_iter().enumerate() {
        let out = &mut out[r * target.pitch..][..target.width];
        if target.width == simd::columns::<S>() {
            a.store(&mut out[..S::LANES]);
            b.store(&mut out[S::LANES..]);
        } else {
            let (a, b) = (a.to_lanes(), b.to_lanes());
            let values = a.as_ref().iter().chain(b.as_ref());
            out.iter_mut().zip(values).for_each(|(out, value)| *out = *value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;
    use crate::simd::{Isa, VECTORS, dispatch};

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
                dispatch!(isa, simd => pack(simd, &b, inner, columns).multiply(&left, &mut out, stride.1));
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
