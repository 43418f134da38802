//! Values as they lie in a file, of any encoding: decoded, and summed without being decoded first.

use half::slice::HalfFloatSliceExt as _;

use crate::simd::{Isa, Operation, Simd as _, dispatch};

/// A run of values.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Values<'a> {
    /// `f32`, the lowest byte first.
    F32(&'a [[u8; 4]]),
    /// IEEE 754 half precision, the lower byte first.
    F16(&'a [[u8; 2]]),
    /// Whole numbers of `scale`, in two's complement.
    Int8 { steps: &'a [u8], scale: f32 },
    /// Of no file.
    Decoded(&'a [f32]),
}

/// Values in F16 that are decoded at once: in groups it is the processor's instruction that does it, where it has one.
const HALVES: usize = 256;

impl Values<'_> {
    pub(crate) fn len(self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F16(values) => values.len(),
            Self::Int8 { steps, .. } => steps.len(),
            Self::Decoded(values) => values.len(),
        }
    }

    /// Writes them to the begin of `buffer`, which has room for them, and gives this part of it.
    pub(crate) fn decode(self, buffer: &mut [f32]) -> &mut [f32] {
        let out = &mut buffer[..self.len()];
        match self {
            Self::F32(values) => out.iter_mut().zip(values).for_each(|(out, bytes)| *out = from_f32(*bytes)),
            Self::F16(values) => {
                let mut halves = [half::f16::ZERO; HALVES];
                for (out, bytes) in out.chunks_mut(HALVES).zip(values.chunks(HALVES)) {
                    let halves = &mut halves[..bytes.len()];
                    halves.iter_mut().zip(bytes).for_each(|(half, bytes)| *half = half::f16::from_le_bytes(*bytes));
                    halves.convert_to_f32_slice(out);
                }
            }
            Self::Int8 { steps, scale } => {
                out.iter_mut().zip(steps).for_each(|(out, step)| *out = from_int8(*step, scale));
            }
            Self::Decoded(values) => out.copy_from_slice(values),
        }
        out
    }

    /// Adds `weight` · each to `sums`, and gives the sum of their squares: the same bits on all instruction sets.
    pub(crate) fn add_weighted(self, sums: &mut [f64], weight: f64) -> f64 {
        match self {
            Self::F32(values) => add(sums, weight, values, from_f32),
            Self::Int8 { steps, scale } => add(sums, weight, steps, |step| from_int8(step, scale)),
            Self::Decoded(values) => add(sums, weight, values, |value| value),
            Self::F16(halves) => {
                let parts = sums.chunks_mut(HALVES).zip(halves.chunks(HALVES));
                parts.map(|(sums, part)| decoded(part, |values| values.add_weighted(sums, weight))).sum()
            }
        }
    }

    /// The sum of their squares, in `f64`: the same bits on all instruction sets.
    pub(crate) fn sum_of_squares(self) -> f64 {
        match self {
            Self::F32(values) => sum_of_squares(values, from_f32),
            Self::Int8 { steps, scale } => sum_of_squares(steps, |step| from_int8(step, scale)),
            Self::Decoded(values) => sum_of_squares(values, |value| value),
            Self::F16(halves) => {
                halves.chunks(HALVES).map(|part| decoded(part, |values| values.sum_of_squares())).sum()
            }
        }
    }
}

/// What `work` makes of at most [`HALVES`] values.
fn decoded<T>(part: &[[u8; 2]], work: impl FnOnce(Values<'_>) -> T) -> T {
    work(Values::Decoded(Values::F16(part).decode(&mut [0.0; HALVES])))
}

#[inline(always)]
fn from_f32(bytes: [u8; 4]) -> f32 {
    f32::from_le_bytes(bytes)
}

#[inline(always)]
fn from_int8(step: u8, scale: f32) -> f32 {
    f32::from(step.cast_signed()) * scale
}

fn add<T: Copy>(sums: &mut [f64], weight: f64, values: &[T], decode: impl Fn(T) -> f32) -> f64 {
    dispatch!(Isa::best(), simd => simd.call(AddWeighted { sums, weight, values, decode }))
}

fn sum_of_squares<T: Copy>(values: &[T], decode: impl Fn(T) -> f32) -> f64 {
    dispatch!(Isa::best(), simd => simd.call(SumOfSquares { values, decode }))
}

/// Values of a turn of a loop: enough of them for sums that do not wait for each other.
const GROUP: usize = 16;

struct AddWeighted<'a, T, D> {
    sums: &'a mut [f64],
    weight: f64,
    values: &'a [T],
    decode: D,
}

impl<T: Copy, D: Fn(T) -> f32> Operation for AddWeighted<'_, T, D> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let (sums, rest_of_sums) = self.sums.as_chunks_mut::<GROUP>();
        let (values, rest) = self.values.as_chunks::<GROUP>();
        let mut squares = [0.0; GROUP];
        for (sums, values) in sums.iter_mut().zip(values) {
            // Three loops, each of which becomes vectors; in one, compilers make scalars of all.
            let mut wide = [0.0; GROUP];
            wide.iter_mut().zip(values).for_each(|(wide, value)| *wide = f64::from((self.decode)(*value)));
            sums.iter_mut().zip(&wide).for_each(|(sum, value)| *sum += self.weight * value);
            squares.iter_mut().zip(&wide).for_each(|(sum, value)| *sum += value * value);
        }
        let mut squares: f64 = squares.into_iter().sum();
        for (sum, value) in rest_of_sums.iter_mut().zip(rest) {
            let value = f64::from((self.decode)(*value));
            *sum += self.weight * value;
            squares += value * value;
        }
        squares
    }
}

struct SumOfSquares<'a, T, D> {
    values: &'a [T],
    decode: D,
}

impl<T: Copy, D: Fn(T) -> f32> Operation for SumOfSquares<'_, T, D> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let (groups, rest) = self.values.as_chunks::<GROUP>();
        let square = |value: &T| f64::from((self.decode)(*value)).powi(2);
        let mut sums = [0.0; GROUP];
        for group in groups {
            sums.iter_mut().zip(group).for_each(|(sum, value)| *sum += square(value));
        }
        sums.into_iter().chain(rest.iter().map(square)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;

    #[test]
    fn sums_are_those_of_decoded_values_in_every_encoding() {
        let mut random = SplitMix64::new(1);
        // Not a whole number of groups, nor of what is decoded at once.
        let count = 3 * HALVES + GROUP + 5;
        let floats: Vec<_> = (0..count).map(|_| random.signed().to_le_bytes()).collect();
        let halves: Vec<_> = (0..count).map(|_| half::f16::from_f32(random.signed()).to_le_bytes()).collect();
        let steps: Vec<_> = (0..count).map(|_| (127.0 * random.signed()) as i8 as u8).collect();
        let encodings = [Values::F32(&floats), Values::F16(&halves), Values::Int8 { steps: &steps, scale: 0.1 }];
        for values in encodings {
            let mut buffer = vec![0.0; count + 1];
            let decoded = values.decode(&mut buffer);
            let (mut sums, mut expected) = (vec![1.0; count], vec![1.0; count]);
            let squares = values.add_weighted(&mut sums, 3.0);
            expected.iter_mut().zip(&*decoded).for_each(|(sum, value)| *sum += 3.0 * f64::from(*value));
            assert_eq!(sums, expected, "{values:?}");
            let exact: f64 = decoded.iter().map(|value| f64::from(*value).powi(2)).sum();
            for squares in [squares, values.sum_of_squares(), Values::Decoded(decoded).sum_of_squares()] {
                assert!((squares - exact).abs() < 1e-12 * exact, "{squares}, not {exact}");
            }
        }
    }
}
