//! The few numerical loops that everything else is made of, compiled for each instruction set.

use crate::simd::{self, Operation, Row, Simd, Tile, VECTORS, Vector, add_outer, tile_rows, with_rows};

/// Vectors of a single row that stay in registers.
const ROW_VECTORS: usize = 8;

/// Products that are added to a tile in one turn of the loop.
const STEPS: usize = 8;

/// How the left factor is stored.
#[derive(Clone, Copy)]
pub(super) enum Left {
    /// `[m, k]`.
    Plain,
    /// `[k, m]`: the product uses its transpose.
    Transposed,
}

/// A right factor `[k, n]`, stored in panels as wide as a tile, since rows far apart would push each other out of the cache.
#[derive(Debug, Default)]
pub(super) struct Panels {
    k: usize,
    n: usize,
    values: Vec<f32>,
}

impl Panels {
    /// Stores `b[k, n]` for `S`; `n` must be a multiple of a tile's columns.
    pub fn fill<S: Simd>(&mut self, _: S, b: &[f32], n: usize) {
        let columns = simd::columns::<S>();
        assert!(n.is_multiple_of(columns) && b.len().is_multiple_of(n));
        (self.k, self.n) = (b.len() / n, n);
        self.values.clear();
        for column in (0..n).step_by(columns) {
            for row in b.chunks_exact(n) {
                self.values.extend_from_slice(&row[column..column + columns]);
            }
        }
    }
}

/// `out[m, n] += a · b`, with `a` as `[m, k]` or transposed. `b` must have been filled for `S`.
pub(super) fn add_product<S: Simd>(simd: S, out: &mut [f32], a: &[f32], left: Left, b: &Panels, m: usize) {
    simd.call(AddProduct { simd, out, a, left, b, m });
}

/// [`add_product`].
struct AddProduct<'a, S> {
    simd: S,
    out: &'a mut [f32],
    a: &'a [f32],
    left: Left,
    b: &'a Panels,
    m: usize,
}

impl<S: Simd> Operation for AddProduct<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { simd, out, a, left, b: Panels { k, n, values }, m } = self;
        let (k, n) = (*k, *n);
        assert!(out.len() == m * n && a.len() == m * k);
        if values.is_empty() {
            return;
        }
        for (index, panel) in values.chunks_exact(k * simd::columns::<S>()).enumerate() {
            let panel = S::chunks(panel).as_chunks().0;
            let mut row = 0;
            while row < m {
                let factors = Factors { a, left, k, m, row };
                let out = &mut out[row * n + index * simd::columns::<S>()..];
                let count = tile_rows::<S>(m - row);
                with_rows!(S, count, R => tile::<S, R>(simd, out, n, factors, panel));
                row += count;
            }
        }
    }
}

/// The rows of a left factor from `row` on.
#[derive(Clone, Copy)]
struct Factors<'a> {
    a: &'a [f32],
    left: Left,
    k: usize,
    m: usize,
    row: usize,
}

/// Adds `R` rows of a panel to `out`, whose rows are `n` apart.
#[inline(always)]
fn tile<S: Simd, const R: usize>(simd: S, out: &mut [f32], n: usize, factors: Factors, panel: &[Row<S>]) {
    let Factors { a, left, k, m, row: first } = factors;
    let mut sums: Tile<S, R> = [[simd.splat(0.0); VECTORS]; R];
    match left {
        Left::Plain => {
            let (panels, rest) = panel.as_chunks::<STEPS>();
            let mut rows: [&[[f32; STEPS]]; R] = [&[]; R];
            let mut ends: [&[f32]; R] = [&[]; R];
            for (r, (row, end)) in rows.iter_mut().zip(&mut ends).enumerate() {
                let (whole, last) = a[(first + r) * k..][..k].as_chunks();
                (*row, *end) = (&whole[..panels.len()], &last[..rest.len()]);
            }
            for (index, panel) in panels.iter().enumerate() {
                let mut factors: [&[f32; STEPS]; R] = [&[0.0; STEPS]; R];
                for (factors, row) in factors.iter_mut().zip(&rows) {
                    *factors = &row[index];
                }
                for (step, right) in panel.iter().enumerate() {
                    add_outer(simd, &mut sums, |r| factors[r][step], right);
                }
            }
            for (step, right) in rest.iter().enumerate() {
                add_outer(simd, &mut sums, |r| ends[r][step], right);
            }
        }
        Left::Transposed => {
            for (left, right) in a.chunks_exact(m).zip(panel) {
                if let Some(factors) = left[first..].first_chunk::<R>() {
                    add_outer(simd, &mut sums, |r| factors[r], right);
                }
            }
        }
    }
    for (r, sum) in sums.into_iter().enumerate() {
        let out = S::chunks_mut(&mut out[r * n..][..simd::columns::<S>()]);
        for (out, sum) in out.iter_mut().zip(sum) {
            *out = (simd.load(out) + sum).to_lanes();
        }
    }
}

/// `out[n] += a[k] · b[k, n]`. `n` must be a multiple of eight vectors.
#[cfg_attr(target_arch = "x86_64", inline(always))]
pub(super) fn add_row_product<S: Simd>(simd: S, out: &mut [f32], a: &[f32], b: &[f32]) {
    let n = out.len();
    assert!(b.len() == a.len() * n && n.is_multiple_of(ROW_VECTORS * S::LANES));
    for (index, out) in S::chunks_mut(out).as_chunks_mut::<ROW_VECTORS>().0.iter_mut().enumerate() {
        let mut sums = [simd.splat(0.0); ROW_VECTORS];
        for (factor, row) in a.iter().zip(b.chunks_exact(n)) {
            let row = &S::chunks(row)[index * ROW_VECTORS..][..ROW_VECTORS];
            let factor = simd.splat(*factor);
            for (sum, b) in sums.iter_mut().zip(row) {
                *sum = sum.add_product(factor, simd.load(b));
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = (simd.load(out) + sum).to_lanes();
        }
    }
}

/// `out[columns, rows] = a[rows, columns]ᵀ`.
pub(super) fn transpose(a: &[f32], columns: usize, out: &mut [f32]) {
    let rows = a.len() / columns;
    for (r, row) in a.chunks_exact(columns).enumerate() {
        for (c, &value) in row.iter().enumerate() {
            out[c * rows + r] = value;
        }
    }
}

/// `eˣ` to 2 ulp without a call or a branch (polynomial of Cephes' `expf`), so that loops over it vectorise.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Adding and subtracting 1.5 · 2²³ rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let mut p = 1.987_569_1e-4;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p * r + coefficient;
    }
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    (p * r * r + r + 1.0) * power
}

/// 1 / (1 + e⁻ˣ).
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Hyperbolic tangent, as 2 sigmoid(2x) − 1: exact to 1.2e-7 in absolute terms.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    2.0 * sigmoid(2.0 * x) - 1.0
}

/// Softmax of `N` logits.
pub fn softmax<const N: usize>(logits: &[f32; N]) -> [f32; N] {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = logits.map(|logit| (logit - largest).exp());
    let sum: f32 = powers.iter().sum();
    powers.map(|power| power / sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;
    use crate::simd::{Isa, dispatch};

    #[test]
    fn products_equal_the_definition() {
        let mut random = SplitMix64::new(1);
        let shapes = [(1, 1, 128), (7, 5, 128), (9, 33, 256), (4, 128, 512), (27, 70, 128)];
        for ((m, k, n), isa) in
            shapes.into_iter().flat_map(|shape| Isa::available().into_iter().map(move |i| (shape, i)))
        {
            let a: Vec<f32> = (0..m * k).map(|_| random.signed()).collect();
            let b: Vec<f32> = (0..k * n).map(|_| random.signed()).collect();
            let mut panels = Panels::default();
            let mut a_transposed = a.clone();
            transpose(&a, k, &mut a_transposed);
            let (mut plain, mut transposed, mut first) = (vec![1.0; m * n], vec![1.0; m * n], vec![1.0; n]);
            dispatch!(isa, simd => {
                panels.fill(simd, &b, n);
                add_product(simd, &mut plain, &a, Left::Plain, &panels, m);
                add_product(simd, &mut transposed, &a_transposed, Left::Transposed, &panels, m);
                add_row_product(simd, &mut first, &a[..k], &b);
            });
            assert_eq!(plain, transposed);
            assert_eq!(plain[..n], first);
            for (i, value) in plain.iter().enumerate() {
                let exact: f64 = (0..k).map(|s| f64::from(a[i / n * k + s]) * f64::from(b[s * n + i % n])).sum();
                assert!((f64::from(*value) - 1.0 - exact).abs() < 1e-5 * k as f64);
            }
        }
    }

    #[test]
    fn exp_and_its_family_are_accurate() {
        for i in -8_700..8_700 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 3e-7, "exp({x})");
            assert!((f64::from(tanh(x)) - f64::from(x).tanh()).abs() < 3e-7, "tanh({x})");
        }
        assert!(sigmoid(-1e30) >= 0.0 && sigmoid(1e30) == 1.0);
    }
}
