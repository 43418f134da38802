//! The few numerical loops that everything else is made of, written so that the compiler vectorises them.

/// Rows and columns of the tile of the result that stays in registers.
const ROWS: usize = 4;
const COLUMNS: usize = 16;

/// How the left factor is stored.
#[derive(Clone, Copy)]
pub(super) enum Left {
    /// `[m, k]`.
    Plain,
    /// `[k, m]`: the product uses its transpose.
    Transposed,
}

/// `out[m, n] += a · b[k, n]`, with `a` as `[m, k]` or transposed. `n` must be a multiple of 16.
pub(super) fn add_product(out: &mut [f32], a: &[f32], left: Left, b: &[f32], m: usize, k: usize, n: usize) {
    assert!(out.len() == m * n && a.len() == m * k && b.len() == k * n && n.is_multiple_of(COLUMNS));
    for column in (0..n).step_by(COLUMNS) {
        let mut row = 0;
        while row + ROWS <= m {
            tile::<ROWS>(out, a, left, b, (row, column), (m, k, n));
            row += ROWS;
        }
        while row < m {
            tile::<1>(out, a, left, b, (row, column), (m, k, n));
            row += 1;
        }
    }
}

#[inline(always)]
fn tile<const R: usize>(
    out: &mut [f32],
    a: &[f32],
    left: Left,
    b: &[f32],
    (row, column): (usize, usize),
    (m, k, n): (usize, usize, usize),
) {
    let mut sums = [[0.0_f32; COLUMNS]; R];
    for (step, b_row) in b.chunks_exact(n).enumerate() {
        let b_tile: &[f32; COLUMNS] = b_row[column..].first_chunk().expect("n is a multiple of COLUMNS");
        for (r, sum) in sums.iter_mut().enumerate() {
            let factor = match left {
                Left::Plain => a[(row + r) * k + step],
                Left::Transposed => a[step * m + row + r],
            };
            for (sum, b) in sum.iter_mut().zip(b_tile) {
                *sum += factor * b;
            }
        }
    }
    for (r, sum) in sums.iter().enumerate() {
        let start = (row + r) * n + column;
        for (out, sum) in out[start..start + COLUMNS].iter_mut().zip(sum) {
            *out += sum;
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
        for (m, k, n) in [(1, 1, 16), (7, 5, 32), (9, 33, 48), (4, 128, 512)] {
            let a: Vec<f32> = (0..m * k).map(|_| random.signed()).collect();
            let b: Vec<f32> = (0..k * n).map(|_| random.signed()).collect();
            let mut a_transposed = a.clone();
            transpose(&a, k, &mut a_transposed);
            let (mut plain, mut transposed) = (vec![1.0; m * n], vec![1.0; m * n]);
            add_product(&mut plain, &a, Left::Plain, &b, m, k, n);
            add_product(&mut transposed, &a_transposed, Left::Transposed, &b, m, k, n);
            assert_eq!(plain, transposed);
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
