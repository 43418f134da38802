//! A safetensors file of weights, read where it lies: checked and summed without decoding it as a whole.

use std::ops::Range;

use super::values::Values;
use super::{Scales, ValueRanges, Weights, WeightsError};

/// Values of a file that are read in one go: they and their sums in `f64` fit the second cache.
pub(crate) const CHUNK: usize = 4_096;

/// A file of F32, F16 or [`super::Int8Weights`] whose header was read. `B` holds its bytes.
#[derive(Clone, Debug)]
pub struct EncodedWeights<B> {
    file: B,
    ranges: ValueRanges,
}

impl<B: AsRef<[u8]>> EncodedWeights<B> {
    /// Reads the header. `scales` are those of a file of [`super::Int8Weights`].
    ///
    /// # Errors
    /// [`WeightsError::Malformed`], [`WeightsError::Type`], or [`WeightsError::Scale`].
    pub fn parse(file: B, scales: Option<&Scales>) -> Result<Self, WeightsError> {
        let ranges = ValueRanges::of(file.as_ref(), scales)?;
        Ok(Self { file, ranges })
    }

    /// Where the values are in the file.
    pub fn into_ranges(self) -> ValueRanges {
        self.ranges
    }

    /// As [`Weights::check_same_layout`].
    pub(crate) fn check_same_layout(&self, model: &Weights) -> Result<(), WeightsError> {
        self.ranges.check_same_layout(model)
    }

    /// Checks that it has exactly the names and shapes of `model`, and finite values alone.
    ///
    /// # Errors
    /// The first tensor that is missing, misshapen or unknown, or the first value that is not finite.
    pub fn finite(self, model: &Weights) -> Result<FiniteWeights<B>, WeightsError> {
        self.check_same_layout(model)?;
        let values = self.ranges.values(self.file.as_ref(), 0, self.ranges.value_count());
        let squares: f64 = values.map(|(_, values)| values.sum_of_squares()).sum();
        // A sum of squares of finite `f32` is far below what `f64` can hold.
        match squares.is_finite() {
            true => Ok(FiniteWeights { encoded: self, norm: f64::sqrt(squares) }),
            false => Err(self.not_finite()),
        }
    }

    /// The first value that is not finite. There has to be one.
    pub(crate) fn not_finite(&self) -> WeightsError {
        let mut wrong = None;
        let mut decoded = [0.0; CHUNK];
        for_each_chunk(&[self], 0..self.ranges.value_count(), |_, first, values| {
            let decoded = values.decode(&mut decoded);
            wrong = wrong.or_else(|| decoded.iter().position(|value| !value.is_finite()).map(|index| first + index));
        });
        self.ranges.not_finite(wrong.unwrap_or_default())
    }
}

/// [`EncodedWeights`] that have the layout of a model and finite values alone.
#[derive(Clone, Debug)]
pub struct FiniteWeights<B> {
    encoded: EncodedWeights<B>,
    norm: f64,
}

impl<B: AsRef<[u8]>> FiniteWeights<B> {
    /// The Euclidean norm over all values.
    pub fn norm(&self) -> f64 {
        self.norm
    }

    /// Where the values are in the file.
    pub fn into_ranges(self) -> ValueRanges {
        self.encoded.ranges
    }

    /// The file.
    pub fn into_encoded(self) -> EncodedWeights<B> {
        self.encoded
    }
}

/// Visits the values of the numbers in `range` of all `files`, which have the same layout, in parts: the same part of each, one after the
/// other, so that what is summed stays in the cache. Hands each part, of at most [`CHUNK`], to `work` with the number of its file
/// and that of its first value; values are numbered through all tensors, in the order of the tensors' names.
pub(crate) fn for_each_chunk<B: AsRef<[u8]>>(
    files: &[&EncodedWeights<B>],
    range: Range<usize>,
    mut work: impl FnMut(usize, usize, Values<'_>),
) {
    for first in range.clone().step_by(CHUNK) {
        let count = CHUNK.min(range.end - first);
        for (index, file) in files.iter().enumerate() {
            for (before, values) in file.ranges.values(file.file.as_ref(), first, count) {
                work(index, first + before, values);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;
    use crate::weights::{Int8Weights, Tensor};

    fn sample(random: &mut SplitMix64) -> Weights {
        let mut weights = Weights::new();
        for (name, count) in [("a", 9_000), ("b", 0), ("c", 1), ("d", 2_048)] {
            weights.insert(name, Tensor::new([count], (0..count).map(|_| random.signed()).collect()));
        }
        weights
    }

    #[test]
    fn the_file_says_what_the_decoded_weights_say_in_every_encoding() {
        let mut random = SplitMix64::new(1);
        let weights = sample(&mut random);
        let int8 = Int8Weights::round(&weights, &mut random);
        let files = [
            (weights.to_safetensors(None), None),
            (weights.to_safetensors_f16(None), None),
            (int8.to_safetensors(None), Some(int8.scales())),
        ];
        for (file, scales) in files {
            let encoded = EncodedWeights::parse(&file, scales).unwrap();
            let decoded = super::super::value_ranges::decode(&file, scales).unwrap();
            let finite = encoded.finite(&weights).unwrap();
            assert!((finite.norm() - decoded.norm()).abs() <= 1e-12 * decoded.norm());
            let mut values = [Vec::new(), Vec::new()];
            let (encoded, count) = (finite.into_encoded(), decoded.value_count());
            let mut chunk = [0.0; CHUNK];
            for_each_chunk(&[&encoded, &encoded], 0..count, |file, first, part| {
                assert_eq!(first, values[file].len());
                values[file].extend_from_slice(part.decode(&mut chunk));
            });
            for values in values {
                assert!(values.iter().eq(decoded.iter().flat_map(|(_, tensor)| &tensor.values)));
            }
        }
    }

    #[test]
    fn the_first_value_that_is_not_finite_is_named() {
        let mut weights = sample(&mut SplitMix64::new(1));
        for (name, tensor) in weights.iter_mut() {
            if name == "a" || name == "d" {
                *tensor.values.last_mut().unwrap() = f32::NAN;
                tensor.values[2_047] = f32::INFINITY;
            }
        }
        let file = weights.to_safetensors(None);
        let error = EncodedWeights::parse(&file, None).unwrap().finite(&weights).unwrap_err();
        assert_eq!(error, WeightsError::NotFinite { name: "a".into(), index: 2_047 });
    }

    #[test]
    fn another_layout_is_refused_as_decoded_weights_are() {
        let weights = sample(&mut SplitMix64::new(1));
        let change = |change: &dyn Fn(&mut Weights)| {
            let mut model = weights.clone();
            change(&mut model);
            let found = EncodedWeights::parse(weights.to_safetensors(None), None).unwrap().finite(&model).unwrap_err();
            assert_eq!(found, weights.check_same_layout(&model).unwrap_err());
        };
        change(&|model| model.insert("a", Tensor::new([50, 100], vec![0.0; 5_000])));
        change(&|model| model.insert("aa", Tensor::new([1], vec![0.0])));
        let mut more = weights.clone();
        more.insert("e", Tensor::new([1], vec![0.0]));
        let found = EncodedWeights::parse(more.to_safetensors(None), None).unwrap().finite(&weights).unwrap_err();
        assert_eq!(found, WeightsError::Unexpected { name: "e".into() });
    }
}
