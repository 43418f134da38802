//! Vectors of four on [`wide`], in safe code.

use wide::f32x4;

use super::{Operation, Simd, Vector};

/// Vectors of four: SIMD128 in wasm, SSE2 or NEON natively.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Four;

impl Simd for Four {
    const LANES: usize = 4;
    // 4×8 is the largest tile that fits the 16 registers which wasm is given on x86 (measured: docs/PERFORMANCE.md).
    const ROWS: usize = 4;
    type Lanes = [f32; 4];
    type Vector = f32x4;

    #[inline(always)]
    fn splat(self, value: f32) -> f32x4 {
        f32x4::splat(value)
    }

    #[inline(always)]
    fn load(self, lanes: &[f32; 4]) -> f32x4 {
        let [a, b, c, d] = *lanes;
        f32x4::new([a, b, c, d])
    }

    #[inline(always)]
    fn chunks(values: &[f32]) -> &[[f32; 4]] {
        values.as_chunks().0
    }

    #[inline(always)]
    fn chunks_mut(values: &mut [f32]) -> &mut [[f32; 4]] {
        values.as_chunks_mut().0
    }

    #[inline(always)]
    fn zeros() -> [f32; 4] {
        [0.0; 4]
    }

    // In wasm a function of its own: browsers optimise what is called often, and never what runs already, so that a frame in
    // one large function would run unoptimised to its end. For the same reason www/index.html tells wasm-opt not to inline
    // functions that have one caller.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    fn call<O: Operation>(self, operation: O) -> O::Output {
        operation.run()
    }
}

impl Vector for f32x4 {
    type Lanes = [f32; 4];

    #[inline(always)]
    fn add_product(self, a: Self, b: Self) -> Self {
        self + a * b
    }

    #[inline(always)]
    fn relu(self) -> Self {
        self.fast_max(f32x4::ZERO)
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.fast_min(other)
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.fast_max(other)
    }

    #[inline(always)]
    fn to_lanes(self) -> [f32; 4] {
        self.to_array()
    }

    #[inline(always)]
    fn store(self, values: &mut [f32]) {
        values[..4].copy_from_slice(self.as_array());
    }
}
