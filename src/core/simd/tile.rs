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

/// `sums += factors · row`, with `factor(r)` for row `r`. A function rather than an array, since `array::map` is not always
/// inlined, and a call here costs more than the products.
#[inline(always)]
pub(crate) fn add_outer<S: Simd, const R: usize>(
    simd: S,
    sums: &mut Tile<S, R>,
    factor: impl Fn(usize) -> f32,
    row: &Row<S>,
) {
    let (left, right) = (simd.load(&row[0]), simd.load(&row[1]));
    for (r, sum) in sums.iter_mut().enumerate() {
        let factor = simd.splat(factor(r));
        sum[0] = sum[0].add_product(factor, left);
        sum[1] = sum[1].add_product(factor, right);
    }
}

/// How many of `rows` the next tile takes: as many as the others, so that none is too low to keep the processor busy.
#[inline(always)]
pub(crate) fn tile_rows<S: Simd>(rows: usize) -> usize {
    rows.div_ceil(rows.div_ceil(S::ROWS).max(1))
}

/// Evaluates `$tile` with the constant `$rows` equal to `$count`, which is from 1 to [`Simd::ROWS`] of `$simd`.
macro_rules! with_rows {
    ($simd:ty, $count:expr, $rows:ident => $tile:expr) => {{
        macro_rules! with {
            ($value:literal) => {{
                const $rows: usize = $value;
                $tile
            }};
        }
        match $count {
            14 if <$simd>::ROWS >= 14 => with!(14),
            13 if <$simd>::ROWS >= 13 => with!(13),
            12 if <$simd>::ROWS >= 12 => with!(12),
            11 if <$simd>::ROWS >= 11 => with!(11),
            10 if <$simd>::ROWS >= 10 => with!(10),
            9 if <$simd>::ROWS >= 9 => with!(9),
            8 if <$simd>::ROWS >= 8 => with!(8),
            7 if <$simd>::ROWS >= 7 => with!(7),
            6 if <$simd>::ROWS >= 6 => with!(6),
            5 if <$simd>::ROWS >= 5 => with!(5),
            4 => with!(4),
            3 => with!(3),
            2 => with!(2),
            _ => with!(1),
        }
    }};
}
pub(crate) use with_rows;
