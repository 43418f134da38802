//! The LSTM's loops beside [`crate::model::gemm`]: a vector-matrix product and a transpose.

use crate::simd::{Simd, Vector};

/// Vectors of a result that stay in registers.
const ROW_VECTORS: usize = 8;

/// GEMV: `out[n] += a[k] · b[k, n]`, with `b` as it is, not packed. `n` must be a multiple of eight vectors.
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
pub(crate) fn transpose(a: &[f32], columns: usize, out: &mut [f32]) {
    let rows = a.len() / columns;
    for (r, row) in a.chunks_exact(columns).enumerate() {
        for (c, &value) in row.iter().enumerate() {
            out[c * rows + r] = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;
    use crate::simd::{Isa, dispatch};

    #[test]
    fn a_vector_times_a_matrix_equals_the_definition() {
        let mut random = SplitMix64::new(1);
        for ((k, n), isa) in [(1, 128), (5, 256), (33, 512)]
            .into_iter()
            .flat_map(|shape| Isa::available().into_iter().map(move |i| (shape, i)))
        {
            let a: Vec<f32> = (0..k).map(|_| random.signed()).collect();
            let b: Vec<f32> = (0..k * n).map(|_| random.signed()).collect();
            let mut out = vec![1.0; n];
            dispatch!(isa, simd => add_row_product(simd, &mut out, &a, &b));
            for (i, value) in out.iter().enumerate() {
                let exact: f64 = (0..k).map(|s| f64::from(a[s]) * f64::from(b[s * n + i])).sum();
                assert!((f64::from(*value) - 1.0 - exact).abs() < 1e-5 * k as f64);
            }
        }
    }
}
