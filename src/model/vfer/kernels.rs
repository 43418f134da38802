//! The few numerical loops that everything else is made of, written so that the compiler vectorises them.

use wide::f32x4;

/// Rows and columns of the tile of the result that stays in registers: see `cpu::matrix`.
const ROWS: usize = 4;
const COLUMNS: usize = 8;
/// Columns of a single row that stay in registers.
const ROW_COLUMNS: usize = 32;

/// How the left factor is stored.
#[derive(Clone, Copy)]
pub(super) enum Left {
    /// `[m, k]`.
    Plain,
    /// `[k, m]`: the product uses its transpose.
    Transposed,
}

/// A right factor `[k, n]`, stored in panels of 8 columns, since rows far apart would push each other out of the cache.
#[derive(Debug, Default)]
pub(super) struct Panels {
    k: usize,
    n: usize,
    values: Vec<f32>,
}

impl Panels {
    /// Stores `b[k, n]`; `n` must be a multiple of 8.
    pub fn fill(&mut self, b: &[f32], n: usize) {
        assert!(n.is_multiple_of(COLUMNS) && b.len().is_multiple_of(n));
        (self.k, self.n) = (b.len() / n, n);
        self.values.clear();
        for column in (0..n).step_by(COLUMNS) {
            for row in b.chunks_exact(n) {
                self.values.extend_from_slice(&row[column..column + COLUMNS]);
            }
        }
    }
}

/// `out[m, n] += a · b`, with `a` as `[m, k]` or transposed.
pub(super) fn add_product(out: &mut [f32], a: &[f32], left: Left, b: &Panels, m: usize) {
    let Panels { k, n, values } = b;
    assert!(out.len() == m * n && a.len() == m * k);
    // Where `a` has row `r` and step `s`: at r · pitch.0 + s · pitch.1.
    let pitch = match left {
        Left::Plain => (*k, 1),
        Left::Transposed => (1, m),
    };
    if values.is_empty() {
        return;
    }
    for (index, panel) in values.chunks_exact(k * COLUMNS).enumerate() {
        let panel = panel.as_chunks().0;
        for row in (0..m).step_by(ROWS) {
            let (a, out) = (&a[row * pitch.0..], &mut out[row * n + index * COLUMNS..]);
            match m - row {
                1 => tile::<1>(out, *n, a, pitch, panel),
                2 => tile::<2>(out, *n, a, pitch, panel),
                3 => tile::<3>(out, *n, a, pitch, panel),
                _ => tile::<ROWS>(out, *n, a, pitch, panel),
            }
        }
    }
}

#[inline(always)]
fn tile<const R: usize>(out: &mut [f32], n: usize, a: &[f32], pitch: (usize, usize), panel: &[[f32; COLUMNS]]) {
    let mut sums = [[f32x4::ZERO; 2]; R];
    for (step, row) in panel.iter().enumerate() {
        let halves = halves(row);
        for (r, sum) in sums.iter_mut().enumerate() {
            let factor = f32x4::splat(a[r * pitch.0 + step * pitch.1]);
            sum[0] += factor * halves[0];
            sum[1] += factor * halves[1];
        }
    }
    for (r, sum) in sums.iter().enumerate() {
        let out = &mut out[r * n..][..COLUMNS];
        for (out, sum) in out.as_chunks_mut::<4>().0.iter_mut().zip(sum) {
            *out = (f32x4::new(*out) + *sum).to_array();
        }
    }
}

#[inline(always)]
fn halves(row: &[f32; COLUMNS]) -> [f32x4; 2] {
    let [a, b, c, d, e, f, g, h] = *row;
    [f32x4::new([a, b, c, d]), f32x4::new([e, f, g, h])]
}

/// `out[n] += a[k] · b[k, n]`. `n` must be a multiple of 32.
pub(super) fn add_row_product(out: &mut [f32], a: &[f32], b: &[f32]) {
    let n = out.len();
    assert!(b.len() == a.len() * n && n.is_multiple_of(ROW_COLUMNS));
    for (index, out) in out.as_chunks_mut::<ROW_COLUMNS>().0.iter_mut().enumerate() {
        let mut sums = [f32x4::ZERO; ROW_COLUMNS / 4];
        for (factor, row) in a.iter().zip(b.chunks_exact(n)) {
            let row = row[index * ROW_COLUMNS..][..ROW_COLUMNS].as_chunks::<4>().0;
            let factor = f32x4::splat(*factor);
            sums.iter_mut().zip(row).for_each(|(sum, b)| *sum += factor * f32x4::new(*b));
        }
        for (out, sum) in out.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
            *out = (f32x4::new(*out) + sum).to_array();
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

    #[test]
    fn products_equal_the_definition() {
        let mut random = SplitMix64::new(1);
        for (m, k, n) in [(1, 1, 32), (7, 5, 32), (9, 33, 64), (4, 128, 512)] {
            let a: Vec<f32> = (0..m * k).map(|_| random.signed()).collect();
            let b: Vec<f32> = (0..k * n).map(|_| random.signed()).collect();
            let mut panels = Panels::default();
            panels.fill(&b, n);
            let mut a_transposed = a.clone();
            transpose(&a, k, &mut a_transposed);
            let (mut plain, mut transposed, mut first) = (vec![1.0; m * n], vec![1.0; m * n], vec![1.0; n]);
            add_product(&mut plain, &a, Left::Plain, &panels, m);
            add_product(&mut transposed, &a_transposed, Left::Transposed, &panels, m);
            add_row_product(&mut first, &a[..k], &b);
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
