//! Depthwise convolutions: a kernel of its own for each channel. Three loops, from the general to the fast one: scalar;
//! vectors of channels, pixel by pixel; and, for 3×3 kernels where there are registers enough, along rows of results.

use super::epilogue::FusedEpilogue;
use super::source::{Source, relu};
use crate::model::graph::{Activation, Convolution, Shape};
use crate::simd::{Operation, Simd, Vector};

/// Neighbouring results that [`Kernel3x3::run_unit_stride`] computes at a time.
const RESULTS: usize = 4;
/// The largest kernel that is vectorised.
const MAX_KERNEL_SIZE: usize = 3;

/// Kernels `[kernel_size, kernel_size, channels]`.
pub(super) struct Depthwise<S: Simd> {
    simd: S,
    kernels: Vec<f32>,
}

/// Which rows (or columns) of a window are inside the feature map.
struct Clipped {
    /// First row of the kernel.
    kernel_start: usize,
    /// First row of the feature map.
    start: usize,
    /// Rows that are inside.
    length: usize,
}

impl Clipped {
    /// The window of `kernel_size` of result `position` along an axis of `length` pixels. The size is a parameter so that it
    /// can be known when compiling.
    #[inline(always)]
    fn new(kernel_size: usize, c: &Convolution, position: usize, length: usize) -> Self {
        let kernel_start = c.padding.0.saturating_sub(position * c.stride);
        let start = position * c.stride + kernel_start - c.padding.0;
        Self { kernel_start, start, length: (kernel_size - kernel_start).min(length - start) }
    }
}

impl<S: Simd> Depthwise<S> {
    pub fn new(simd: S, c: &Convolution) -> Self {
        let taps = c.kernel_size * c.kernel_size;
        let kernels = (0..taps).flat_map(|tap| (0..c.out_channels).map(move |channel| c.weight[channel * taps + tap]));
        Self { simd, kernels: kernels.collect() }
    }

    /// Rows of `activation(convolution(source))` from `first_row` on, as many as `out` holds.
    pub fn run(&self, c: &Convolution, source: &Source, first_row: usize, out: &mut [f32]) {
        self.simd.call(Rows { depthwise: self, c, source, first_row, out });
    }

    /// Any kernel size and number of channels.
    fn scalar(&self, c: &Convolution, source: &Source, first_row: usize, out: &mut [f32]) {
        let Shape { height, width, channels } = source.shape;
        let out_width = c.output_length(width);
        for (index, out) in out.iter_mut().enumerate() {
            let (pixel, channel) = (index / channels, index % channels);
            let rows = Clipped::new(c.kernel_size, c, first_row + pixel / out_width, height);
            let columns = Clipped::new(c.kernel_size, c, pixel % out_width, width);
            let mut sum = c.bias[channel];
            for i in 0..rows.length {
                for j in 0..columns.length {
                    let value = source.values[((rows.start + i) * width + columns.start + j) * channels + channel];
                    let value = if source.prologue.relu { relu(value) } else { value };
                    let tap = (rows.kernel_start + i) * c.kernel_size + columns.kernel_start + j;
                    sum += value * self.kernels[tap * channels + channel];
                }
            }
            *out = match c.activation {
                Activation::None => sum,
                Activation::Relu => relu(sum),
                Activation::LeakyRelu { slope } if sum < 0.0 => sum * slope,
                Activation::LeakyRelu { .. } => sum,
            };
        }
    }

    /// Vectors of channels, one result after the other. `prologue` is applied to each value.
    #[inline(always)]
    fn by_pixel(
        &self,
        c: &Convolution,
        source: &Source,
        first_row: usize,
        out: &mut [f32],
        prologue: impl Fn(S::Vector) -> S::Vector,
    ) {
        let Shape { height, width, channels } = source.shape;
        let vectors = channels / S::LANES;
        let out_width = c.output_length(width);
        let values = S::chunks(source.values);
        let kernels = S::chunks(&self.kernels);
        let epilogue = FusedEpilogue::new(c, None);
        for (y, row) in S::chunks_mut(out).chunks_exact_mut(out_width * vectors).enumerate() {
            let rows = Clipped::new(c.kernel_size, c, first_row + y, height);
            for (x, pixel) in row.chunks_exact_mut(vectors).enumerate() {
                let columns = Clipped::new(c.kernel_size, c, x, width);
                let length = columns.length * vectors;
                let mut taps: [TapRow<S>; MAX_KERNEL_SIZE] = [(&[], &[]); MAX_KERNEL_SIZE];
                for (i, tap) in taps.iter_mut().enumerate().take(rows.length) {
                    let kernel = ((rows.kernel_start + i) * c.kernel_size + columns.kernel_start) * vectors;
                    let first = ((rows.start + i) * width + columns.start) * vectors;
                    *tap = (&values[first..][..length], &kernels[kernel..][..length]);
                }
                for (vector, result) in pixel.iter_mut().enumerate() {
                    let mut sum = self.simd.splat(0.0);
                    for (values, factors) in &taps[..rows.length] {
                        for index in (vector..length).step_by(vectors) {
                            let value = prologue(self.simd.load(&values[index]));
                            sum = sum.add_product(value, self.simd.load(&factors[index]));
                        }
                    }
                    *result = epilogue.apply(self.simd, sum, vector * S::LANES, 0).to_lanes();
                }
            }
        }
    }

    /// 3×3 kernels without an activation, with the whole kernel in registers: along rows of results, one vector of channels
    /// after the other.
    #[inline(always)]
    fn along_rows(
        &self,
        c: &Convolution,
        source: &Source,
        first_row: usize,
        out: &mut [f32],
        prologue: impl Fn(S::Vector) -> S::Vector,
    ) {
        let simd = self.simd;
        let Shape { height, width, channels } = source.shape;
        let vectors = channels / S::LANES;
        let out_width = c.output_length(width);
        let (values, kernels) = (S::chunks(source.values), S::chunks(&self.kernels));
        let biases = S::chunks(&c.bias);
        // Results begin..end have windows that no column is cut off from.
        let begin = c.padding.0.div_ceil(c.stride).min(out_width);
        let end = ((width + c.padding.0 - 3) / c.stride + 1).clamp(begin, out_width);
        for (y, row) in S::chunks_mut(out).chunks_exact_mut(out_width * vectors).enumerate() {
            let rows = Clipped::new(3, c, first_row + y, height);
            for vector in 0..vectors {
                let mut taps = [simd.splat(0.0); 9];
                for (tap, kernel) in taps.iter_mut().zip(kernels[vector..].iter().step_by(vectors)) {
                    *tap = simd.load(kernel);
                }
                let bias = simd.load(&biases[vector]);
                for x in (0..begin).chain(end..out_width) {
                    let mut sum = bias;
                    for i in 0..rows.length {
                        for j in 0..3 {
                            let column = (x * c.stride + j).wrapping_sub(c.padding.0);
                            if column < width {
                                let value = simd.load(&values[((rows.start + i) * width + column) * vectors + vector]);
                                sum = sum.add_product(prologue(value), taps[3 * (rows.kernel_start + i) + j]);
                            }
                        }
                    }
                    row[x * vectors + vector] = sum.to_lanes();
                }
                if begin == end {
                    continue;
                }
                let start = (begin * c.stride - c.padding.0) * vectors + vector;
                let window_row = |i: usize| {
                    let row = rows.start + i;
                    &values[row * width * vectors + start..(row + 1) * width * vectors]
                };
                let results = &mut row[begin * vectors + vector..(end - 1) * vectors + vector + 1];
                if rows.length == 3 {
                    let kernel = Kernel3x3 { simd, taps, bias, vectors };
                    let rows = [window_row(0), window_row(1), window_row(2)];
                    match c.stride {
                        1 => kernel.run_unit_stride(rows, results, &prologue),
                        _ => kernel.run(rows, results, c.stride * vectors, &prologue),
                    }
                } else {
                    for (index, result) in results.iter_mut().step_by(vectors).enumerate() {
                        let mut sum = bias;
                        for i in 0..rows.length {
                            let row = &window_row(i)[index * c.stride * vectors..];
                            for j in 0..3 {
                                let value = prologue(simd.load(&row[j * vectors]));
                                sum = sum.add_product(value, taps[3 * (rows.kernel_start + i) + j]);
                            }
                        }
                        *result = sum.to_lanes();
                    }
                }
            }
        }
    }
}

/// [`Depthwise::run`] as a function of its own, compiled for an instruction set: within the whole program's the compiler would
/// not keep kernels in registers.
struct Rows<'a, S: Simd> {
    depthwise: &'a Depthwise<S>,
    c: &'a Convolution,
    source: &'a Source<'a>,
    first_row: usize,
    out: &'a mut [f32],
}

impl<S: Simd> Operation for Rows<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { depthwise, c, source, first_row, out } = self;
        let is_vectorised = c.kernel_size <= MAX_KERNEL_SIZE && c.out_channels.is_multiple_of(S::LANES);
        let is_along_rows =
            S::LANES > 4 && (c.kernel_size, c.activation) == (3, Activation::None) && source.shape.width >= 3;
        match (is_vectorised, is_along_rows, source.prologue.relu) {
            (false, ..) => depthwise.scalar(c, source, first_row, out),
            (true, false, false) => depthwise.by_pixel(c, source, first_row, out, |value| value),
            (true, false, true) => depthwise.by_pixel(c, source, first_row, out, |value| value.relu()),
            (true, true, false) => depthwise.along_rows(c, source, first_row, out, |value| value),
            (true, true, true) => depthwise.along_rows(c, source, first_row, out, |value| value.relu()),
        }
    }
}

/// A 3×3 kernel of one vector of channels, in registers.
struct Kernel3x3<S: Simd> {
    simd: S,
    taps: [S::Vector; 9],
    bias: S::Vector,
    /// Vectors of a pixel.
    vectors: usize,
}

impl<S: Simd> Kernel3x3<S> {
    /// Results `vectors` apart, from three rows of pixels; windows are `step` vectors apart.
    #[inline(always)]
    fn run(
        &self,
        rows: [&[S::Lanes]; 3],
        results: &mut [S::Lanes],
        step: usize,
        prologue: &impl Fn(S::Vector) -> S::Vector,
    ) {
        for (index, result) in results.iter_mut().step_by(self.vectors).enumerate() {
            let mut sum = self.bias;
            for (i, row) in rows.iter().enumerate() {
                let row = &row[index * step..][..2 * self.vectors + 1];
                for j in 0..3 {
                    sum = sum.add_product(prologue(self.simd.load(&row[j * self.vectors])), self.taps[3 * i + j]);
                }
            }
            *result = sum.to_lanes();
        }
    }

    /// The same with windows one pixel apart: [`RESULTS`] at a time, so that each pixel is loaded once for all of them.
    #[inline(always)]
    fn run_unit_stride(
        &self,
        rows: [&[S::Lanes]; 3],
        results: &mut [S::Lanes],
        prologue: &impl Fn(S::Vector) -> S::Vector,
    ) {
        let vectors = self.vectors;
        let count = results.len().div_ceil(vectors);
        for index in (0..count / RESULTS * RESULTS).step_by(RESULTS) {
            let mut sums = [self.bias; RESULTS];
            for (i, row) in rows.iter().enumerate() {
                let row = &row[index * vectors..][..(RESULTS + 1) * vectors + 1];
                for column in 0..RESULTS + 2 {
                    let value = prologue(self.simd.load(&row[column * vectors]));
                    // An index, so that the loop is unrolled and the sums stay in registers.
                    #[allow(clippy::needless_range_loop)]
                    for x in column.saturating_sub(2)..(column + 1).min(RESULTS) {
                        sums[x] = sums[x].add_product(value, self.taps[3 * i + column - x]);
                    }
                }
            }
            for (sum, result) in sums.into_iter().zip(results[index * vectors..].iter_mut().step_by(vectors)) {
                *result = sum.to_lanes();
            }
        }
        let done = count / RESULTS * RESULTS * vectors;
        if done < results.len() {
            let rest = rows.map(|row| &row[done..]);
            self.run(rest, &mut results[done..], vectors, prologue);
        }
    }
}

/// A row of pixels under the kernel, and the kernel's row.
type TapRow<'a, S> = (&'a [<S as Simd>::Lanes], &'a [<S as Simd>::Lanes]);
