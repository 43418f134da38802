//! The matrix product that nearly all time is spent in. A tile of the result stays in registers: 4×8 is the largest
//! that fits the 16 registers of 128 bits which wasm is given on x86 (measured: docs/PERFORMANCE.md).

use wide::f32x4;

/// Columns of a tile.
const COLUMNS: usize = 8;
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
    /// Packs the matrix whose element in row `k` and column `n` is `at(k, n)`.
    pub fn new(inner: usize, columns: usize, at: impl Fn(usize, usize) -> f32) -> Self {
        let mut panels = Vec::with_capacity(columns.next_multiple_of(COLUMNS) * inner);
        for first in (0..columns).step_by(COLUMNS) {
            for k in 0..inner {
                panels.extend((first..first + COLUMNS).map(|n| if n < columns { at(k, n) } else { 0.0 }));
            }
        }
        Self { inner, columns, panels }
    }

    /// `out[rows, columns] = a[rows, inner] · self`. Rows of `a` and of `out` are `stride.0` and `stride.1` apart.
    pub fn multiply(&self, a: &[f32], out: &mut [f32], rows: usize, stride: (usize, usize)) {
        for (index, panel) in self.panels.chunks_exact(COLUMNS * self.inner).enumerate() {
            let panel = panel.as_chunks().0;
            let first = index * COLUMNS;
            let width = COLUMNS.min(self.columns - first);
            for row in (0..rows).step_by(ROWS) {
                let count = ROWS.min(rows - row);
                let a = &a[row * stride.0..];
                let out = &mut out[row * stride.1 + first..];
                if width == COLUMNS {
                    some_rows(a, panel, out, count, stride);
                } else {
                    let mut whole = [0.0; ROWS * COLUMNS];
                    some_rows(a, panel, &mut whole, count, (stride.0, COLUMNS));
                    for (r, row) in whole.chunks_exact(COLUMNS).take(count).enumerate() {
                        out[r * stride.1..][..width].copy_from_slice(&row[..width]);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn some_rows(a: &[f32], panel: &[[f32; COLUMNS]], out: &mut [f32], count: usize, stride: (usize, usize)) {
    match count {
        1 => tile::<1>(a, panel, out, stride),
        2 => tile::<2>(a, panel, out, stride),
        3 => tile::<3>(a, panel, out, stride),
        _ => tile::<ROWS>(a, panel, out, stride),
    }
}

/// `R` rows of one panel.
#[inline(always)]
fn tile<const R: usize>(a: &[f32], panel: &[[f32; COLUMNS]], out: &mut [f32], stride: (usize, usize)) {
    let inner = panel.len();
    let rows: [&[f32]; R] = std::array::from_fn(|r| &a[r * stride.0..][..inner]);
    let mut sums = [[f32x4::ZERO; 2]; R];
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
        add(&mut sums, rows.map(|row| row[inner - rest.len() + k]), row);
    }
    for (r, [left, right]) in sums.into_iter().enumerate() {
        let out = &mut out[r * stride.1..][..COLUMNS];
        out[..4].copy_from_slice(left.as_array());
        out[4..].copy_from_slice(right.as_array());
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
            let a: Vec<f32> = (0..rows * stride.0).map(|_| random.signed()).collect();
            let b: Vec<f32> = (0..inner * columns).map(|_| random.signed()).collect();
            let mut out = vec![7.0; rows * stride.1];
            Packed::new(inner, columns, |k, n| b[k * columns + n]).multiply(&a, &mut out, rows, stride);
            for (index, value) in out.iter().enumerate() {
                let (row, column) = (index / stride.1, index % stride.1);
                if column >= columns {
                    assert_eq!(*value, 7.0, "only the result is written");
                    continue;
                }
                let exact: f64 =
                    (0..inner).map(|k| f64::from(a[row * stride.0 + k]) * f64::from(b[k * columns + column])).sum();
                assert!((f64::from(*value) - exact).abs() < 1e-6 * inner as f64);
            }
        }
    }
}
