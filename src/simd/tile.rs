//! The micro-kernel's step, shared by all matrix products: an outer product added to a tile of registers.

use super::{Simd, Vector};

/// Vectors of a tile's row.
pub(crate) const VECTORS: usize = 2;

/// A row of a packed right factor's panel in memory.
pub(crate) type Row<S> = [<S as Simd>::Lanes; VECTORS];

/// A tile of `R` rows in registers.
pub(crate) type Tile<S, const R: usize> = [[<S as Simd>::Vector; VECTORS]; R];

/// Columns of a tile.
pub(crate) const fn columns<S: Simd>() -> usize {
    VECTORS * S::LANES
}

/// `sums += factors · row`.
#[inline(always)]
pub(crate) fn add_outer<S: Simd, const R: usize>(simd: S, sums: &mut Tile<S, R>, factors: [f32; R], row: &Row<S>) {
    let (left, right) = (simd.load(&row[0]), simd.load(&row[1]));
    for (sum, factor) in sums.iter_mut().zip(factors) {
        let factor = simd.splat(factor);
        sum[0] = sum[0].add_product(factor, left);
        sum[1] = sum[1].add_product(factor, right);
    }
}
