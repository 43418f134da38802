//! Where the values of a safetensors file are, so that any range of them can be read without the others.

use std::ops::Range;

use safetensors::{Dtype, SafeTensors};

use super::header::check_unique_keys;
use super::values::Values;
use super::{Scales, Tensor, Weights, WeightsError};

/// The places of a file's values. Values are numbered through all tensors, in the order of the tensors' names, as
/// [`super::Weights::iter`] gives them.
#[derive(Clone, Debug)]
pub struct ValueRanges(Vec<TensorRange>);

/// A tensor in the file.
#[derive(Clone, Debug)]
struct TensorRange {
    name: String,
    shape: Vec<usize>,
    /// Numbers of its values.
    values: Range<usize>,
    /// Position of its first byte in the file.
    byte: u64,
    encoding: Encoding,
}

/// A range of values within a tensor.
struct Part {
    /// Position of its first byte in the file.
    byte: u64,
    encoding: Encoding,
    /// Numbers of its values among those that are read.
    out: Range<usize>,
}

impl Part {
    /// Bytes of it in the file.
    fn size(&self) -> usize {
        self.out.len() * self.encoding.size()
    }
}

#[derive(Clone, Copy, Debug)]
enum Encoding {
    F32,
    F16,
    /// Whole numbers of this step.
    Int8(f32),
}

impl Encoding {
    /// How the tensor `name` of this type is stored. `scales` are those of a file of [`super::Int8Weights`].
    fn of(name: &str, dtype: Dtype, scales: Option<&Scales>) -> Result<Self, WeightsError> {
        match (dtype, scales) {
            (Dtype::F32, None) => Ok(Self::F32),
            (Dtype::F16, None) => Ok(Self::F16),
            (Dtype::I8, Some(scales)) => {
                let scale = scales.get(name).copied().filter(|scale| scale.is_finite() && *scale >= 0.0);
                Ok(Self::Int8(scale.ok_or_else(|| WeightsError::Scale { name: name.to_owned() })?))
            }
            (other, _) => Err(WeightsError::Type { name: name.to_owned(), found: format!("{other:?}") }),
        }
    }

    fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
            Self::Int8(_) => 1,
        }
    }

    fn values(self, bytes: &[u8]) -> Values<'_> {
        match self {
            Self::F32 => Values::F32(bytes.as_chunks().0),
            Self::F16 => Values::F16(bytes.as_chunks().0),
            Self::Int8(scale) => Values::Int8 { steps: bytes, scale },
        }
    }
}

/// Decodes all tensors of a whole file. `scales` are those of a file of [`super::Int8Weights`]. Values may be NaN or infinite.
pub(super) fn decode(file: &[u8], scales: Option<&Scales>) -> Result<Weights, WeightsError> {
    check_unique_keys(file)?;
    let tensors = SafeTensors::deserialize(file).map_err(|error| WeightsError::Malformed(error.to_string()))?;
    let mut weights = Weights::new();
    for (name, view) in tensors.iter() {
        let encoding = Encoding::of(name, view.dtype(), scales)?;
        let mut values = vec![0.0; view.data().len() / encoding.size()];
        encoding.values(view.data()).decode(&mut values);
        weights.insert(name, Tensor { shape: view.shape().to_vec(), values });
    }
    match scales.and_then(|scales| scales.keys().find(|name| weights.get(name).is_err())) {
        Some(name) => Err(WeightsError::Scale { name: name.clone() }),
        None => Ok(weights),
    }
}

impl ValueRanges {
    /// Finds the values of a whole file. `scales` are those of a file of [`super::Int8Weights`].
    ///
    /// # Errors
    /// [`WeightsError::Malformed`], [`WeightsError::Type`], or [`WeightsError::Scale`].
    pub fn of(file: &[u8], scales: Option<&Scales>) -> Result<Self, WeightsError> {
        check_unique_keys(file)?;
        let malformed = |error: safetensors::SafeTensorError| WeightsError::Malformed(error.to_string());
        let (header_length, header) = SafeTensors::read_metadata(file).map_err(malformed)?;
        // The header is behind its length in eight bytes.
        let first_byte = 8 + header_length as u64;
        let mut tensors: Vec<_> = header.tensors().into_iter().collect();
        tensors.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut places = Vec::with_capacity(tensors.len());
        let mut next = 0;
        for (name, tensor) in tensors {
            let encoding = Encoding::of(&name, tensor.dtype, scales)?;
            let count: usize = tensor.shape.iter().product();
            let byte = first_byte + tensor.data_offsets.0 as u64;
            let shape = tensor.shape.clone();
            places.push(TensorRange { name, shape, values: next..next + count, byte, encoding });
            next += count;
        }
        let has = |name: &String| places.binary_search_by(|place| place.name.cmp(name)).is_ok();
        match scales.and_then(|scales| scales.keys().find(|name| !has(name))) {
            Some(name) => Err(WeightsError::Scale { name: name.clone() }),
            None => Ok(Self(places)),
        }
    }

    /// The `count` values of `file`, whose ranges these are, from number `first` on, tensor by tensor, each with how many of them come
    /// before it.
    ///
    /// # Panics
    /// There are not so many values: a mistake of the caller.
    pub(super) fn values<'a>(
        &self,
        file: &'a [u8],
        first: usize,
        count: usize,
    ) -> impl Iterator<Item = (usize, Values<'a>)> {
        let values = |part: Part| part.encoding.values(&file[part.byte as usize..][..part.size()]);
        self.parts(first, count).map(move |part| (part.out.start, values(part)))
    }

    /// As [`Weights::check_same_layout`].
    pub(super) fn check_same_layout(&self, model: &Weights) -> Result<(), WeightsError> {
        for (name, tensor) in model.iter() {
            let place = self.0.binary_search_by(|place| place.name.as_str().cmp(name));
            let place = &self.0[place.map_err(|_| WeightsError::Missing { name: name.to_owned() })?];
            if place.shape != tensor.shape {
                let (name, expected, found) = (name.to_owned(), tensor.shape.clone(), place.shape.clone());
                return Err(WeightsError::Shape { name, expected, found });
            }
        }
        match self.0.iter().find(|place| model.get(&place.name).is_err()) {
            Some(place) => Err(WeightsError::Unexpected { name: place.name.clone() }),
            None => Ok(()),
        }
    }

    /// That the value of this number is NaN or infinite.
    pub(super) fn not_finite(&self, number: usize) -> WeightsError {
        let place = &self.0[self.0.partition_point(|place| place.values.end <= number)];
        WeightsError::NotFinite { name: place.name.clone(), index: number - place.values.start }
    }

    /// How many values there are.
    pub fn value_count(&self) -> usize {
        self.0.last().map_or(0, |place| place.values.end)
    }

    /// Reads the values from number `first` on that fill `out`. `read` gives so many bytes from a position of the file on.
    ///
    /// # Errors
    /// What `read` fails with, or [`WeightsError::Malformed`] where it gives fewer bytes.
    ///
    /// # Panics
    /// There are not so many values: a mistake of the caller.
    pub fn read<E: From<WeightsError>, B: AsRef<[u8]>>(
        &self,
        first: usize,
        out: &mut [f32],
        mut read: impl FnMut(u64, usize) -> Result<B, E>,
    ) -> Result<(), E> {
        for part in self.parts(first, out.len()) {
            let bytes = read(part.byte, part.size())?;
            let bytes = bytes.as_ref();
            if bytes.len() != part.size() {
                return Err(WeightsError::Malformed("it ends before its values do".to_owned()).into());
            }
            part.encoding.values(bytes).decode(&mut out[part.out]);
        }
        Ok(())
    }

    /// Where the `count` values from number `first` on are.
    fn parts(&self, first: usize, count: usize) -> impl Iterator<Item = Part> {
        let end = first + count;
        assert!(end <= self.value_count(), "only values that are there can be read");
        let begin = self.0.partition_point(|place| place.values.end <= first);
        self.0[begin..].iter().take_while(move |place| place.values.start < end).map(move |place| {
            let wanted = place.values.start.max(first)..place.values.end.min(end);
            let byte = place.byte + ((wanted.start - place.values.start) * place.encoding.size()) as u64;
            Part { byte, encoding: place.encoding, out: wanted.start - first..wanted.end - first }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;
    use crate::weights::{Int8Weights, Tensor, Weights};

    #[test]
    fn any_range_is_what_the_whole_file_says() {
        let mut random = SplitMix64::new(1);
        let mut weights = Weights::new();
        for (name, count) in [("a", 5), ("b", 0), ("c", 1), ("d", 7)] {
            weights.insert(name, Tensor::new([count], (0..count).map(|_| random.signed()).collect()));
        }
        let int8 = Int8Weights::round(&weights, &mut random);
        let files = [
            (weights.to_safetensors(None), None),
            (weights.to_safetensors_f16(None), None),
            (int8.to_safetensors(None), Some(int8.scales())),
        ];
        for (file, scales) in files {
            let whole = match scales {
                Some(scales) => Weights::from_int8(&file, scales),
                None => Weights::from_safetensors(&file),
            };
            let whole: Vec<f32> = whole.unwrap().iter().flat_map(|(_, tensor)| tensor.values.clone()).collect();
            let ranges = ValueRanges::of(&file, scales).unwrap();
            assert_eq!(ranges.value_count(), 13);
            for first in 0..=13 {
                for last in first..=13 {
                    let mut out = vec![f32::NAN; last - first];
                    let read = |start: u64, length| Ok::<_, WeightsError>(file[start as usize..][..length].to_vec());
                    ranges.read(first, &mut out, read).unwrap();
                    assert_eq!(out, whole[first..last]);
                }
            }
            let cut = |start: u64, length: usize| Ok::<_, WeightsError>(file[start as usize..][..length - 1].to_vec());
            assert!(matches!(ranges.read(4, &mut [0.0; 4], cut), Err(WeightsError::Malformed(_))));
        }
        assert!(matches!(ValueRanges::of(&int8.to_safetensors(None), None), Err(WeightsError::Type { .. })));
    }
}
