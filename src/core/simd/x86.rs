//! AVX2 with FMA, and AVX-512. The only module of the workspace with unsafe code.
//!
//! Why it is needed: instructions beyond the target's baseline can be used only by functions that say so
//! (`#[target_feature]`), and calling one from a function that does not is unsafe, since on a processor without them it is
//! undefined. Why it is sound: every call here is either of a token's method or of a vector's. A token's field is private,
//! and [`Avx2::detect`] and [`Avx512::detect`], which ask the processor, are all that makes one; vectors are made by tokens
//! only. Loads and stores go through references to arrays, so that no pointer is ever made up.
#![allow(unsafe_code)]

use std::arch::is_x86_feature_detected;
use std::arch::x86_64::{
    __m256, __m512, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps,
    _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps, _mm256_sub_ps, _mm512_add_ps, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    _mm512_sub_ps,
};
use std::ops::{Add, Mul, Sub};

use super::{Operation, Simd, Vector};

/// Proof that the processor has AVX2 and FMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx2(());

/// Proof that the processor has AVX-512 (F, VL, BW and DQ), AVX2 and FMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx512(());

impl Avx2 {
    /// `None` where the processor does not have them.
    pub fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }

    #[target_feature(enable = "avx2,fma")]
    fn enter<O: Operation>(operation: O) -> O::Output {
        operation.run()
    }
}

impl Avx512 {
    /// `None` where the processor does not have them.
    pub fn detect() -> Option<Self> {
        let has = Avx2::detect().is_some()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq");
        has.then_some(Self(()))
    }

    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
    fn enter<O: Operation>(operation: O) -> O::Output {
        operation.run()
    }
}

/// A token's and its vector's methods, which differ in widths and names only.
macro_rules! instruction_set {
    ($token:ident, $vector:ident, $register:ty, $lanes:literal, $rows:literal, $load:ident, $store:ident, $splat:ident,
     $zero:ident, $add:ident, $sub:ident, $mul:ident, $fma:ident, $min:ident, $max:ident) => {
        impl Simd for $token {
            const LANES: usize = $lanes;
            const ROWS: usize = $rows;
            type Lanes = [f32; $lanes];
            type Vector = $vector;

            #[inline(always)]
            fn splat(self, value: f32) -> $vector {
                // SAFETY: the token is proof.
                $vector(unsafe { $splat(value) })
            }

            #[inline(always)]
            fn load(self, lanes: &[f32; $lanes]) -> $vector {
                // SAFETY: the token is proof, and all lanes are readable.
                $vector(unsafe { $load(lanes.as_ptr()) })
            }

            #[inline(always)]
            fn chunks(values: &[f32]) -> &[[f32; $lanes]] {
                values.as_chunks().0
            }

            #[inline(always)]
            fn chunks_mut(values: &mut [f32]) -> &mut [[f32; $lanes]] {
                values.as_chunks_mut().0
            }

            #[inline(always)]
            fn zeros() -> [f32; $lanes] {
                [0.0; $lanes]
            }

            #[inline]
            fn call<O: Operation>(self, operation: O) -> O::Output {
                // SAFETY: the token is proof.
                unsafe { Self::enter(operation) }
            }
        }

        /// A register; made by the token only.
        #[derive(Clone, Copy, Debug)]
        #[repr(transparent)]
        pub struct $vector($register);

        impl Vector for $vector {
            type Lanes = [f32; $lanes];

            #[inline(always)]
            fn add_product(self, a: Self, b: Self) -> Self {
                // SAFETY: a vector is made by a token, which is proof; so below.
                Self(unsafe { $fma(a.0, b.0, self.0) })
            }

            #[inline(always)]
            fn relu(self) -> Self {
                // In this order NaN stays NaN.
                // SAFETY: see `add_product`.
                Self(unsafe { $max($zero(), self.0) })
            }

            #[inline(always)]
            fn min(self, other: Self) -> Self {
                // SAFETY: see `add_product`.
                Self(unsafe { $min(self.0, other.0) })
            }

            #[inline(always)]
            fn max(self, other: Self) -> Self {
                // SAFETY: see `add_product`.
                Self(unsafe { $max(self.0, other.0) })
            }

            #[inline(always)]
            fn to_lanes(self) -> [f32; $lanes] {
                let mut lanes = [0.0; $lanes];
                self.store(&mut lanes);
                lanes
            }

            #[inline(always)]
            fn store(self, values: &mut [f32]) {
                let lanes = &mut values[..$lanes];
                // SAFETY: see `add_product`; the slice has as many values as are written.
                unsafe { $store(lanes.as_mut_ptr(), self.0) }
            }
        }

        impl Add for $vector {
            type Output = Self;

            #[inline(always)]
            fn add(self, other: Self) -> Self {
                // SAFETY: see `add_product`.
                Self(unsafe { $add(self.0, other.0) })
            }
        }

        impl Sub for $vector {
            type Output = Self;

            #[inline(always)]
            fn sub(self, other: Self) -> Self {
                // SAFETY: see `add_product`.
                Self(unsafe { $sub(self.0, other.0) })
            }
        }

        impl Mul for $vector {
            type Output = Self;

            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                // SAFETY: see `add_product`.
                Self(unsafe { $mul(self.0, other.0) })
            }
        }
    };
}

// Of 16 registers a tile of 6×16 takes 12; of 32 one of 14×32 takes 28.
instruction_set!(
    Avx2,
    F32x8,
    __m256,
    8,
    6,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_set1_ps,
    _mm256_setzero_ps,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_mul_ps,
    _mm256_fmadd_ps,
    _mm256_min_ps,
    _mm256_max_ps
);
instruction_set!(
    Avx512,
    F32x16,
    __m512,
    16,
    14,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_set1_ps,
    _mm512_setzero_ps,
    _mm512_add_ps,
    _mm512_sub_ps,
    _mm512_mul_ps,
    _mm512_fmadd_ps,
    _mm512_min_ps,
    _mm512_max_ps
);
