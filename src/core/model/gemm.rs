//! General matrix multiplication, `C = A · B` in f32: the only one, for convolutions ([`super::cpu`]) and the LSTM
//! ([`super::vfer`]).
//!
//! `B` is packed into panels of [`columns`] columns, so that the micro-kernel reads it in order. The micro-kernel keeps a
//! tile of up to [`Simd::ROWS`] rows × [`columns`] columns of `C` in registers and adds one outer product per step of `k`.
//! How rows of `A` are addressed is a [`LeftOperand`]; what happens to a tile on its way to memory is an [`Epilogue`].

use crate::simd::{Operation, Row, Simd, Tile, VECTORS, Vector, add_outer, columns, tile_rows, with_rows};

/// Steps of `k` in one iteration of the inner loop: computing addresses costs as much as a product.
const UNROLL: usize = 8;

/// A packed `B` `[k, n]`.
#[derive(Clone, Copy)]
pub(super) struct Panels<'a, S: Simd> {
    /// `k` rows of the first panel, then those of the next.
    rows: &'a [Row<S>],
    k: usize,
    n: usize,
}

/// An owned packed `B` for `S`; the last panel is padded with zeros.
pub(super) struct PackedMatrix<S: Simd> {
    rows: Vec<Row<S>>,
    k: usize,
    n: usize,
}

impl<S: Simd> PackedMatrix<S> {
    /// An empty `[k, n]`, to be filled by [`Self::push`].
    pub fn with_shape(k: usize, n: usize) -> Self {
        Self { rows: Vec::with_capacity(n.div_ceil(columns::<S>()) * k), k, n }
    }

    /// Appends the next row of a panel: all `k` rows of the first panel, then those of the next.
    pub fn push(&mut self, row: Row<S>) {
        self.rows.push(row);
    }

    pub fn panels(&self) -> Panels<'_, S> {
        Panels { rows: &self.rows, k: self.k, n: self.n }
    }
}

/// A packed `B` `[k, n]` that is refilled again and again, by a caller that is not generic over the instruction set.
#[derive(Debug, Default)]
pub(super) struct PackBuffer {
    k: usize,
    n: usize,
    values: Vec<f32>,
}

impl PackBuffer {
    /// Packs the row-major `b` `[k, n]` for `S`.
    pub fn fill<S: Simd>(&mut self, _: S, b: &[f32], n: usize) {
        let columns = columns::<S>();
        assert!(b.len().is_multiple_of(n), "B has whole rows");
        (self.k, self.n) = (b.len() / n, n);
        self.values.clear();
        for column in (0..n).step_by(columns) {
            let width = columns.min(n - column);
            for row in b.chunks_exact(n) {
                self.values.extend_from_slice(&row[column..column + width]);
                // Behind the last column there are zeros.
                self.values.resize(self.values.len() + columns - width, 0.0);
            }
        }
    }

    /// What was packed for the same `S`.
    pub fn panels<S: Simd>(&self, _: S) -> Panels<'_, S> {
        Panels { rows: S::chunks(&self.values).as_chunks().0, k: self.k, n: self.n }
    }
}

/// Rows of `A` `[m, k]`, as the micro-kernel reads them.
pub(super) trait LeftOperand: Copy {
    /// `m`.
    fn rows(&self) -> usize;

    /// `tile += A[row .. row + R, ..] · panel`.
    fn multiply_add<S: Simd, const R: usize>(self, simd: S, row: usize, panel: &[Row<S>], tile: &mut Tile<S, R>);
}

/// `[m, k]`, one row after the other.
#[derive(Clone, Copy)]
pub(super) struct RowMajor<'a> {
    pub values: &'a [f32],
    pub k: usize,
}

impl LeftOperand for RowMajor<'_> {
    #[inline(always)]
    fn rows(&self) -> usize {
        self.values.len() / self.k
    }

    #[inline(always)]
    fn multiply_add<S: Simd, const R: usize>(self, simd: S, row: usize, panel: &[Row<S>], tile: &mut Tile<S, R>) {
        let mut rows: [&[f32]; R] = [&[]; R];
        for (r, slice) in rows.iter_mut().enumerate() {
            *slice = &self.values[(row + r) * self.k..][..self.k];
        }
        multiply_add_rows(simd, rows, panel, tile);
    }
}

/// `[k, m]`, one row after the other: the product uses its transpose.
#[derive(Clone, Copy)]
pub(super) struct Transposed<'a> {
    pub values: &'a [f32],
    pub m: usize,
}

impl LeftOperand for Transposed<'_> {
    #[inline(always)]
    fn rows(&self) -> usize {
        self.m
    }

    #[inline(always)]
    fn multiply_add<S: Simd, const R: usize>(self, simd: S, row: usize, panel: &[Row<S>], tile: &mut Tile<S, R>) {
        for (column, right) in self.values.chunks_exact(self.m).zip(panel) {
            if let Some(factors) = column[row..].first_chunk::<R>() {
                add_outer(simd, tile, |r| factors[r], right);
            }
        }
    }
}

/// Rows that are gathered from `values`: row `r` is the concatenation of slices of `length` values at `starts[r]`,
/// `starts[r] + pitch`, … Slices of different rows may overlap, as the windows of a convolution do (an implicit im2col).
#[derive(Clone, Copy)]
pub(super) struct Gathered<'a> {
    pub values: &'a [f32],
    pub starts: &'a [usize],
    pub length: usize,
    pub pitch: usize,
}

impl LeftOperand for Gathered<'_> {
    #[inline(always)]
    fn rows(&self) -> usize {
        self.starts.len()
    }

    #[inline(always)]
    fn multiply_add<S: Simd, const R: usize>(self, simd: S, row: usize, panel: &[Row<S>], tile: &mut Tile<S, R>) {
        let Some(starts) = self.starts[row..].first_chunk::<R>() else { return };
        for (slice, panel) in panel.chunks_exact(self.length).enumerate() {
            let mut rows: [&[f32]; R] = [&[]; R];
            for (row, start) in rows.iter_mut().zip(starts) {
                *row = &self.values[start + slice * self.pitch..][..self.length];
            }
            multiply_add_rows(simd, rows, panel, tile);
        }
    }
}

/// What happens to `A · B` before it is stored.
pub(super) trait Epilogue: Copy {
    /// A vector from column `column` on that goes to `index` of `out`; `out` may have fewer values left than a vector has.
    fn vector<S: Simd>(self, simd: S, sum: S::Vector, column: usize, index: usize, out: &[f32]) -> S::Vector;

    /// The whole tile whose first value goes to `index` of `out`, with rows `ldc` apart.
    fn tile<S: Simd, const R: usize>(
        self,
        simd: S,
        tile: &mut Tile<S, R>,
        column: usize,
        index: usize,
        ldc: usize,
        out: &[f32],
    );
}

/// `C = A · B`.
#[derive(Clone, Copy)]
pub(super) struct Overwrite;

impl Epilogue for Overwrite {
    #[inline(always)]
    fn vector<S: Simd>(self, _: S, sum: S::Vector, _: usize, _: usize, _: &[f32]) -> S::Vector {
        sum
    }

    #[inline(always)]
    fn tile<S: Simd, const R: usize>(self, _: S, _: &mut Tile<S, R>, _: usize, _: usize, _: usize, _: &[f32]) {}
}

/// `C += A · B`.
#[derive(Clone, Copy)]
pub(super) struct Accumulate;

impl Epilogue for Accumulate {
    #[inline(always)]
    fn vector<S: Simd>(self, simd: S, sum: S::Vector, _: usize, index: usize, out: &[f32]) -> S::Vector {
        load_padded(simd, &out[index..]) + sum
    }

    #[inline(always)]
    fn tile<S: Simd, const R: usize>(
        self,
        simd: S,
        tile: &mut Tile<S, R>,
        _: usize,
        index: usize,
        ldc: usize,
        out: &[f32],
    ) {
        for (r, row) in tile.iter_mut().enumerate() {
            let [left, right] = load_row(simd, &out[index + r * ldc..]);
            *row = [left + row[0], right + row[1]];
        }
    }
}

/// `out = epilogue(left · right)`; rows of `out` are `ldc` values apart, and nothing between them is written.
pub(super) fn gemm<S: Simd>(
    simd: S,
    left: impl LeftOperand,
    right: Panels<S>,
    epilogue: impl Epilogue,
    out: &mut [f32],
    ldc: usize,
) {
    simd.call(Gemm { simd, left, right, epilogue, out, ldc });
}

/// [`gemm`], compiled for an instruction set.
struct Gemm<'a, S: Simd, L, E> {
    simd: S,
    left: L,
    right: Panels<'a, S>,
    epilogue: E,
    out: &'a mut [f32],
    ldc: usize,
}

impl<S: Simd, L: LeftOperand, E: Epilogue> Operation for Gemm<'_, S, L, E> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { simd, left, right: Panels { rows, k, n }, epilogue, out, ldc } = self;
        if k == 0 {
            return;
        }
        let m = left.rows();
        for (index, panel) in rows.chunks_exact(k).enumerate() {
            let column = index * columns::<S>();
            let width = columns::<S>().min(n - column);
            let mut row = 0;
            while row < m {
                let count = tile_rows::<S>(m - row);
                let target = Target { ldc, column, width, index: column + row * ldc };
                with_rows!(S, count, R => {
                    let mut tile: Tile<S, R> = [[simd.splat(0.0); VECTORS]; R];
                    left.multiply_add(simd, row, panel, &mut tile);
                    store(simd, tile, epilogue, out, target);
                });
                row += count;
            }
        }
    }
}

/// Where a tile goes.
#[derive(Clone, Copy)]
struct Target {
    /// Leading dimension: values from a row of `out` to the next.
    ldc: usize,
    /// The tile's first column.
    column: usize,
    /// Columns of the tile that exist.
    width: usize,
    /// Of the tile's first value in `out`.
    index: usize,
}

/// `tile += rows · panel`.
#[inline(always)]
fn multiply_add_rows<S: Simd, const R: usize>(simd: S, rows: [&[f32]; R], panel: &[Row<S>], tile: &mut Tile<S, R>) {
    let (blocks, rest) = panel.as_chunks::<UNROLL>();
    let mut chunks: [&[[f32; UNROLL]]; R] = [&[]; R];
    for (chunks, row) in chunks.iter_mut().zip(rows) {
        *chunks = &row.as_chunks().0[..blocks.len()];
    }
    for (index, block) in blocks.iter().enumerate() {
        let mut factors: [&[f32; UNROLL]; R] = [&[0.0; UNROLL]; R];
        for (factors, chunks) in factors.iter_mut().zip(&chunks) {
            *factors = &chunks[index];
        }
        // For wide vectors unrolled by hand: in a loop the compiler may keep an address for each of many rows in memory. With
        // the few registers of wasm the loop is the faster one.
        if S::LANES > 4 {
            macro_rules! steps {
                ($($step:literal)*) => { $(add_outer(simd, tile, |r| factors[r][$step], &block[$step]);)* };
            }
            steps!(0 1 2 3 4 5 6 7);
        } else {
            for (step, right) in block.iter().enumerate() {
                add_outer(simd, tile, |r| factors[r][step], right);
            }
        }
    }
    for (step, right) in rest.iter().enumerate() {
        add_outer(simd, tile, |r| rows[r][blocks.len() * UNROLL + step], right);
    }
}

#[inline(always)]
fn store<S: Simd, const R: usize>(
    simd: S,
    mut tile: Tile<S, R>,
    epilogue: impl Epilogue,
    out: &mut [f32],
    target: Target,
) {
    let Target { ldc, column, width, index } = target;
    if width == columns::<S>() {
        epilogue.tile(simd, &mut tile, column, index, ldc, out);
        for (r, [left, right]) in tile.into_iter().enumerate() {
            let row = &mut out[index + r * ldc..][..columns::<S>()];
            left.store(&mut row[..S::LANES]);
            right.store(&mut row[S::LANES..]);
        }
        return;
    }
    for (r, row) in tile.into_iter().enumerate() {
        for (vector, sum) in row.into_iter().enumerate() {
            let first = vector * S::LANES;
            if first >= width {
                break;
            }
            let index = index + r * ldc + first;
            let sum = epilogue.vector(simd, sum, column + first, index, out);
            match width - first {
                width if width < S::LANES => out[index..][..width].copy_from_slice(&sum.to_lanes().as_ref()[..width]),
                _ => sum.store(&mut out[index..]),
            }
        }
    }
}

/// A row of a tile from memory.
#[inline(always)]
pub(super) fn load_row<S: Simd>(simd: S, values: &[f32]) -> [S::Vector; VECTORS] {
    let values = &values[..columns::<S>()];
    [simd.load_first(&values[..S::LANES]), simd.load_first(&values[S::LANES..])]
}

/// The first values as a vector, padded with zeros if there are fewer.
#[inline(always)]
pub(super) fn load_padded<S: Simd>(simd: S, values: &[f32]) -> S::Vector {
    if let Some(lanes) = S::chunks(values).first() {
        return simd.load(lanes);
    }
    let mut lanes = S::zeros();
    lanes.as_mut().iter_mut().zip(values).for_each(|(lane, value)| *lane = *value);
    simd.load(&lanes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;
    use crate::simd::{Isa, dispatch};

    fn pack<S: Simd>(b: &[f32], k: usize, n: usize) -> PackedMatrix<S> {
        let mut packed = PackedMatrix::with_shape(k, n);
        for first in (0..n).step_by(columns::<S>()) {
            for step in 0..k {
                let mut row = [S::zeros(); VECTORS];
                for (index, value) in row.iter_mut().flat_map(|lanes| lanes.as_mut()).enumerate() {
                    *value = if first + index < n { b[step * n + first + index] } else { 0.0 };
                }
                packed.push(row);
            }
        }
        packed
    }

    fn transpose(values: &[f32], columns: usize) -> Vec<f32> {
        let rows = values.len() / columns;
        (0..values.len()).map(|i| values[i % rows * columns + i / rows]).collect()
    }

    /// Every left operand and epilogue against the definition, with rows of `out` further apart than they are long.
    #[test]
    fn products_equal_the_definition() {
        let mut random = SplitMix64::new(1);
        let shapes = [(1, 1, 1), (3, 5, 9), (7, 33, 24), (18, 64, 10), (29, 70, 65), (11, 8, 32), (27, 70, 128)];
        for ((m, k, n), isa) in shapes.iter().flat_map(|shape| Isa::available().into_iter().map(move |i| (*shape, i))) {
            let a: Vec<f32> = (0..m * k).map(|_| random.signed()).collect();
            let b: Vec<f32> = (0..k * n).map(|_| random.signed()).collect();
            let a_transposed = transpose(&a, k);
            let ldc = n + 2;
            let starts: Vec<usize> = (0..m).map(|row| row * k).collect();
            let mut results = vec![vec![7.0; m * ldc]; 5];
            dispatch!(isa, simd => {
                let packed = pack(&b, k, n);
                let whole = Gathered { values: &a, starts: &starts, length: k, pitch: 0 };
                gemm(simd, RowMajor { values: &a, k }, packed.panels(), Overwrite, &mut results[0], ldc);
                gemm(simd, whole, packed.panels(), Overwrite, &mut results[1], ldc);
                let slices = Gathered { values: &a, starts: &starts, length: 1, pitch: 1 };
                gemm(simd, slices, packed.panels(), Overwrite, &mut results[2], ldc);
                gemm(simd, Transposed { values: &a_transposed, m }, packed.panels(), Overwrite, &mut results[3], ldc);
                gemm(simd, RowMajor { values: &a, k }, packed.panels(), Accumulate, &mut results[4], ldc);
            });
            for (kind, result) in results.iter().enumerate() {
                for (index, value) in result.iter().enumerate() {
                    let (row, column) = (index / ldc, index % ldc);
                    if column >= n {
                        assert_eq!(*value, 7.0, "only the product is written");
                        continue;
                    }
                    let product = |step: usize| f64::from(a[row * k + step]) * f64::from(b[step * n + column]);
                    let exact: f64 = (0..k).map(product).sum::<f64>() + if kind == 4 { 7.0 } else { 0.0 };
                    assert!((f64::from(*value) - exact).abs() < 1e-6 * (k + 7) as f64, "{kind} on {isa:?}");
                }
            }
        }
    }

    #[test]
    fn a_refilled_buffer_is_the_same_packed_matrix() {
        let mut random = SplitMix64::new(2);
        let (m, k, n) = (9, 33, 256);
        let a: Vec<f32> = (0..m * k).map(|_| random.signed()).collect();
        let mut buffer = PackBuffer::default();
        for isa in Isa::available() {
            let b: Vec<f32> = (0..k * n).map(|_| random.signed()).collect();
            let (mut expected, mut found) = (vec![0.0; m * n], vec![0.0; m * n]);
            dispatch!(isa, simd => {
                buffer.fill(simd, &b, n);
                gemm(simd, RowMajor { values: &a, k }, buffer.panels(simd), Overwrite, &mut found, n);
                gemm(simd, RowMajor { values: &a, k }, pack(&b, k, n).panels(), Overwrite, &mut expected, n);
            });
            assert_eq!(found, expected, "{isa:?}");
        }
    }
}
