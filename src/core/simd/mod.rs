//! Vectors of the width that the processor has. Kernels are written once, generic over [`Simd`], and compiled for each
//! instruction set; which of them runs is decided once, by [`Isa::best`].
//!
//! `Four` is safe code on [`wide`]: SIMD128 in wasm (where it is the only one), SSE2 or NEON natively. On x86-64 there are
//! AVX2 with FMA and AVX-512, too. Their fused multiply-adds round once where `Four` rounds twice, so that results may
//! differ in the last bits between instruction sets; on one instruction set the same input gives the same bits.

mod four;
mod tile;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::{Add, Mul, Sub};

pub use four::Four;
pub(crate) use tile::{Row, Tile, VECTORS, add_outer, columns, tile_rows, with_rows};
#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

/// An instruction set that this processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// Vectors of four: everywhere.
    Four(Four),
    /// AVX2 and FMA: vectors of eight.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// AVX-512: vectors of sixteen.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Isa {
    /// All that this processor has, the widest first.
    pub fn available() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            let wide = [Avx512::detect().map(Self::Avx512), Avx2::detect().map(Self::Avx2)];
            wide.into_iter().flatten().chain([Self::Four(Four)]).collect()
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            vec![Self::Four(Four)]
        }
    }

    /// The widest that this processor has.
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let avx512 = Avx512::detect().map(Self::Avx512);
            avx512.or_else(|| Avx2::detect().map(Self::Avx2)).unwrap_or(Self::Four(Four))
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            Self::Four(Four)
        }
    }

    /// Values of a vector.
    pub fn lanes(self) -> usize {
        match self {
            Self::Four(_) => Four::LANES,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => Avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => Avx512::LANES,
        }
    }
}

/// The best one; in wasm known when compiling.
impl Default for Isa {
    fn default() -> Self {
        Self::best()
    }
}

/// Evaluates an expression with `$simd` bound to the token of the instruction set `$isa`.
macro_rules! dispatch {
    ($isa:expr, $simd:ident => $body:expr) => {
        match $isa {
            $crate::simd::Isa::Four($simd) => $body,
            #[cfg(target_arch = "x86_64")]
            $crate::simd::Isa::Avx2($simd) => $body,
            #[cfg(target_arch = "x86_64")]
            $crate::simd::Isa::Avx512($simd) => $body,
        }
    };
}
pub(crate) use dispatch;

/// An instruction set, as a token: a value of such a type exists only where the processor has it.
pub trait Simd: Copy + std::fmt::Debug + Send + Sync + 'static {
    /// Values of a vector.
    const LANES: usize;
    /// Rows of the micro-kernel's tile: as many as leave registers for the right factor and one of the left.
    const ROWS: usize;
    /// A vector in memory: `[f32; LANES]`.
    type Lanes: Copy + std::fmt::Debug + Send + Sync + AsRef<[f32]> + AsMut<[f32]>;
    /// A vector in a register.
    type Vector: Vector<Lanes = Self::Lanes>;

    /// `value` in all lanes.
    fn splat(self, value: f32) -> Self::Vector;

    /// From memory.
    fn load(self, lanes: &Self::Lanes) -> Self::Vector;

    /// `values` in vectors; what is left over at the end is left out.
    fn chunks(values: &[f32]) -> &[Self::Lanes];

    /// The same, to be changed.
    fn chunks_mut(values: &mut [f32]) -> &mut [Self::Lanes];

    /// `LANES` zeros in memory.
    fn zeros() -> Self::Lanes;

    /// Runs `operation` compiled for this instruction set.
    fn call<O: Operation>(self, operation: O) -> O::Output;

    /// The first `LANES` of `values`.
    ///
    /// # Panics
    /// If there are fewer.
    #[inline(always)]
    fn load_first(self, values: &[f32]) -> Self::Vector {
        self.load(&Self::chunks(&values[..Self::LANES])[0])
    }
}

/// Work to be compiled for an instruction set by [`Simd::call`]. What `run` calls has to be inlined into it, or it is
/// compiled without.
pub trait Operation {
    /// What it gives.
    type Output;

    /// Does it; to be `#[inline(always)]`.
    fn run(self) -> Self::Output;
}

/// A vector in a register.
pub trait Vector: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> {
    /// The same in memory.
    type Lanes;

    /// `self + a · b`; rounded once where the instruction set can.
    fn add_product(self, a: Self, b: Self) -> Self;

    /// What is negative becomes zero.
    fn relu(self) -> Self;

    /// The smaller of each two, neither of which is NaN.
    fn min(self, other: Self) -> Self;

    /// The larger of each two, neither of which is NaN.
    fn max(self, other: Self) -> Self;

    /// To memory.
    fn to_lanes(self) -> Self::Lanes;

    /// To the beginning of `values`.
    ///
    /// # Panics
    /// If they are too few.
    fn store(self, values: &mut [f32]);
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Check<S: Simd>(S);

    impl<S: Simd> Operation for Check<S> {
        type Output = ();

        #[inline(always)]
        fn run(self) {
            let values: Vec<f32> = (0..S::LANES + 3).map(|i| i as f32 - 2.0).collect();
            let vector = self.0.load_first(&values);
            let (one, two) = (self.0.splat(1.0), self.0.splat(2.0));
            let mut out = vec![9.0; S::LANES + 1];
            one.add_product(vector, two).store(&mut out);
            for (found, value) in out.iter().zip(&values[..S::LANES]) {
                assert_eq!(*found, 1.0 + 2.0 * value);
            }
            assert_eq!(out[S::LANES], 9.0, "a vector is written and no more");
            ((vector - two) * two + one).relu().store(&mut out);
            for (found, value) in out.iter().zip(&values[..S::LANES]) {
                assert_eq!(*found, f32::max(0.0, (value - 2.0) * 2.0 + 1.0));
            }
            for (found, value) in vector.min(one).to_lanes().as_ref().iter().zip(&values) {
                assert_eq!(*found, value.min(1.0));
            }
            for (found, value) in vector.max(one).to_lanes().as_ref().iter().zip(&values) {
                assert_eq!(*found, value.max(1.0));
            }
            assert_eq!(S::chunks(&values).len(), (S::LANES + 3) / S::LANES);
            assert_eq!(vector.to_lanes().as_ref(), &values[..S::LANES]);
        }
    }

    #[test]
    fn vectors_compute_on_every_instruction_set() {
        for isa in Isa::available() {
            dispatch!(isa, simd => simd.call(Check(simd)));
        }
        assert_eq!(Isa::available()[0], Isa::best());
    }
}
