//! The matrix product that nearly all time is spent in. A tile of the result stays in registers: 4×8 is the largest
//! that fits the 16 registers of 128 bits which wasm is given on x86 (measured: docs/PERFORMANCE.md).

use wide::f32x4;

/// Columns of a tile.
pub(super) const COLUMNS: usize = 8;
/// Rows of a tile.
const ROWS: usize = 4;
/// Products that are added to a tile in one turn of the loop.
const STEPS: usize = 8;

/// A right factor `[inner, columns]`, stored in panels of 8 columns, the last one padded with zeros.
pub(crate) struct Packed {
    inner: usize,
    columns: usize,
    panels: Vec<f32>,
}

impl Packed {
    /// An empty one for `inner` rows, to be filled by [`Self::push`].
    pub fn with_rows(inner: usize, columns: usize) -> Self {
        Self { inner, columns, panels: Vec::with_capacity(columns.next_multiple_of(COLUMNS) * inner) }
    }

    /// Appends the next half of a panel's row. Panels come one after the other, in each the rows from the first on.
    pub fn push(&mut self, values: f32x4) {
        self.panels.extend_from_slice(values.as_array());
    }

    /// `out[rows, columns] = left · self`. Rows of `out` are `pitch` apart.
    pub fn multiply(&self, left: &Rows, out: &mut [f32], pitch: usize) {
        for (index, panel) in self.panels.chunks_exact(COLUMNS * self.inner).enumerate() {
            let panel = panel.as_chunks().0;
            let column = index * COLUMNS;
            let width = COLUMNS.min(self.columns - column);
            for (row, starts) in left.starts.chunks(ROWS).enumerate() {
                let out = &mut out[row * ROWS * pitch + column..];
                if width == COLUMNS {
                    some_rows(left, starts, panel, out, pitch);
                } else {
                    let mut whole = [0.0; ROWS * COLUMNS];
                    some_rows(left, starts, panel, &mut whole, COLUMNS);
                    for (r, row) in whole.chunks_exact(COLUMNS).take(starts.len()).enumerate() {
                        out[r * pitch..][..width].copy_from_slice(&row[..width]);
                    }
                }
            }
        }
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

#[inline(always)]
fn some_rows(left: &Rows, starts: &[usize], panel: &[[f32; COLUMNS]], out: &mut [f32], pitch: usize) {
    match *starts {
        [a] => tile(left, [a], panel, out, pitch),
        [a, b] => tile(left, [a, b], panel, out, pitch),
        [a, b, c] => tile(left, [a, b, c], panel, out, pitch),
        [a, b, c, d] => tile(left, [a, b, c, d], panel, out, pitch),
        _ => {}
    }
}

/// `R` rows of one panel.
#[inline(always)]
fn tile<const R: usize>(left: &Rows, starts: [usize; R], panel: &[[f32; COLUMNS]], out: &mut [f32], pitch: usize) {
    let mut sums = [[f32x4::ZERO; 2]; R];
    for (piece, panel) in panel.chunks_exact(left.length).enumerate() {
        let rows = starts.map(|start| &left.values[start + piece * left.pitch..][..left.length]);
        // Several steps at a time, since the addresses of each cost as much as a product.
        let (panels, rest) = panel.as_chunks::<STEPS>();
        let chunks = rows.map(|row| &row.as_chunks::<STEPS>().0[..panels.len()]);
        for (index, panel) in panels.iter().enumerate() {
            let factors: [&[f32; STEPS]; R] = std::array::from_fn(|r| &chunks[r][index]);
            for (step, row) in panel.iter().enumerate() {
                add(&mut sums, factors.map(|factors| factors[step]), row);
            }
        }
        for (k, row) in rest.iter().enumerate() {
            add(&mut sums, rows.map(|row| row[left.length - rest.len() + k]), row);
        }
    }
    for (r, [a, b]) in sums.into_iter().enumerate() {
        let out = &mut out[r * pitch..][..COLUMNS];
        out[..4].copy_from_slice(a.as_array());
        out[4..].copy_from_slice(b.as_array());
    }
}

/// `sums += factors · row`.
#[inline(always)]
fn add<const R: usize>(sums: &mut [[f32x4; 2]; R], factors: [f32; R], row: &[f32; COLUMNS]) {
    let [left, right] = halves(row);
    for (sum, factor) in sums.iter_mut().zip(factors) {
        let factor = f32x4::splat(factor);
        sum[0] += factor * left;
        sum[1] += factor * right;
    }
}

#[inline(always)]
fn halves(row: &[f32; COLUMNS]) -> [f32x4; 2] {
    let [a, b, c, d, e, f, g, h] = *row;
    [f32x4::new([a, b, c, d]), f32x4::new([e, f, g, h])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;

    #[test]
    fn products_equal_the_definition() {
        let mut random = SplitMix64::new(1);
        for (rows, inner, columns) in [(1, 1, 1), (3, 5, 9), (7, 33, 24), (18, 64, 10)] {
            let stride = (inner + 3, columns + 2);
            let a: Vec<f32> = (0..(rows + 1) * stride.0).map(|_| random.signed()).collect();
            let b: Vec<f32> = (0..inner * columns).map(|_| random.signed()).collect();
            let mut out = vec![7.0; rows * stride.1];
            let starts: Vec<usize> = (1..=rows).map(|row| row * stride.0).collect();
            let left = Rows { values: &a, starts: &starts, length: inner, pitch: 0 };
            let mut packed = Packed::with_rows(inner, columns);
            let at = |k: usize, n: usize| if n < columns { b[k * columns + n] } else { 0.0 };
            for first in (0..columns).step_by(COLUMNS) {
                for (k, half) in (0..inner).flat_map(|k| [(k, first), (k, first + 4)]) {
                    packed.push(f32x4::new(std::array::from_fn(|lane| at(k, half + lane))));
                }
            }
            packed.multiply(&left, &mut out, stride.1);
            for (index, value) in out.iter().enumerate() {
                let (row, column) = (index / stride.1, index % stride.1);
                if column >= columns {
                    assert_eq!(*value, 7.0, "only the result is written");
                    continue;
                }
                let exact: f64 = (0..inner)
                    .map(|k| f64::from(a[(row + 1) * stride.0 + k]) * f64::from(b[k * columns + column]))
                    .sum();
                assert!((f64::from(*value) - exact).abs() < 1e-6 * inner as f64);
            }
        }
    }
}
