//! Winograd's minimal filtering F(4×4, 3×3): 36 products for a tile of 4×4 results instead of 144 (Lavin and Gray, "Fast
//! Algorithms for Convolutional Neural Networks", 2016). Here is what every executor needs: when it applies, and the
//! transform of the weights. Interpolation points are 0, ±1, ±2 and infinity.

use super::graph::Convolution;
use crate::simd::Simd;

/// Height and width of a tile of results.
pub(super) const TILE: usize = 4;

/// Height and width of the input patch of a tile.
pub(super) const PATCH: usize = 6;

/// Products in the transformed domain.
pub(super) const POINTS: usize = PATCH * PATCH;

/// Whether `convolution` is dense, 3×3, with stride 1 and "same" padding.
pub(super) fn applies(convolution: &Convolution) -> bool {
    let Convolution { kernel_size, stride, padding, depthwise, .. } = *convolution;
    !depthwise && (kernel_size, stride, padding) == (3, 1, (1, 1))
}

/// G g Gᵀ of one kernel g.
#[cfg(feature = "gpu")]
pub(super) fn transform_kernel(kernel: &[f32; 9]) -> [f32; POINTS] {
    use crate::simd::Four;
    let points = transform_kernels(Four, kernel.map(|tap| Four.splat(tap)));
    points.map(|point| point.as_array()[0])
}

/// G g Gᵀ of each lane's kernel g.
#[inline(always)]
pub(super) fn transform_kernels<S: Simd>(simd: S, g: [S::Vector; 9]) -> [S::Vector; POINTS] {
    let mut points = [simd.splat(0.0); POINTS];
    let mut rows = [[simd.splat(0.0); PATCH]; 3];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = kernel_transform(simd, [g[3 * i], g[3 * i + 1], g[3 * i + 2]]);
    }
    for j in 0..PATCH {
        let column = kernel_transform(simd, [rows[0][j], rows[1][j], rows[2][j]]);
        for i in 0..PATCH {
            points[i * PATCH + j] = column[i];
        }
    }
    points
}

/// G g in one dimension.
#[inline(always)]
fn kernel_transform<S: Simd>(simd: S, g: [S::Vector; 3]) -> [S::Vector; PATCH] {
    let constant = |value: f32| simd.splat(value);
    let a = constant(-1.0 / 6.0) * (g[0] + g[2]);
    let b = constant(1.0 / 6.0) * g[1];
    let c = constant(1.0 / 24.0) * g[0] + constant(1.0 / 6.0) * g[2];
    let d = constant(1.0 / 12.0) * g[1];
    [constant(0.25) * g[0], a - b, a + b, c + d, c - d, g[2]]
}
