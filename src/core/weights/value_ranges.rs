//! Where the values of a safetensors file are, so that any range of them can be read without the others.

use std::ops::Range;

use safetensors::{Dtype, SafeTensors};

use super::header::check_unique_keys;
use super::{Scales, WeightsError};

/// The places of a file's values. Values are numbered through all tensors, in the order of the tensors' names, as
/// [`super::Weights::iter`] gives them.
#[derive(Clone, Debug)]
pub struct ValueRanges(Vec<TensorRange>);

/// A tensor in the file.
#[derive(Clone, Debug)]
struct TensorRange {
    /// Numbers of its values.
    values: Range<usize>,
    /// Position of its first byte in the file.
    byte: u64,
    encoding: Encoding,
}

#[derive(Clone, Copy, Debug)]
enum Encoding {
    F32,
    F16,
    /// Whole numbers of this step.
    Int8(f32),
}

impl Encoding {
    fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
            Self::Int8(_) => 1,
        }
    }

    fn decode(self, bytes: &[u8], out: &mut [f32]) {
        match self {
            Self::F32 => {
                out.iter_mut().zip(bytes.as_chunks().0).for_each(|(value, bytes)| *value = f32::from_le_bytes(*bytes));
            }
            Self::F16 => {
                let pairs = out.iter_mut().zip(bytes.as_chunks().0);
                pairs.for_each(|(value, bytes)| *value = half::f16::from_le_bytes(*bytes).to_f32());
            }
            Self::Int8(scale) => {
                let pairs = out.iter_mut().zip(bytes);
                pairs.for_each(|(value, byte)| *value = f32::from(byte.cast_signed()) * scale);
            }
        }
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
            let encoding = match (tensor.dtype, scales) {
                (Dtype::F32, None) => Encoding::F32,
                (Dtype::F16, None) => Encoding::F16,
                (Dtype::I8, Some(scales)) => {
                    let scale = scales.get(&name).ok_or_else(|| WeightsError::Scale { name: name.clone() })?;
                    Encoding::Int8(*scale)
                }
                (other, _) => return Err(WeightsError::Type { name, found: format!("{other:?}") }),
            };
            let count: usize = tensor.shape.iter().product();
            let byte = first_byte + tensor.data_offsets.0 as u64;
            places.push(TensorRange { values: next..next + count, byte, encoding });
            next += count;
        }
        Ok(Self(places))
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
    pub fn read<E: From<WeightsError>>(
        &self,
        first: usize,
        out: &mut [f32],
        mut read: impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
    ) -> Result<(), E> {
        assert!(first + out.len() <= self.value_count(), "only values that are there can be read");
        let end = first + out.len();
        let begin = self.0.partition_point(|place| place.values.end <= first);
        for place in self.0[begin..].iter().take_while(|place| place.values.start < end) {
            let wanted = place.values.start.max(first)..place.values.end.min(end);
            let size = place.encoding.size();
            let position = place.byte + ((wanted.start - place.values.start) * size) as u64;
            let bytes = read(position, wanted.len() * size)?;
            if bytes.len() != wanted.len() * size {
                return Err(WeightsError::Malformed("it ends before its values do".to_owned()).into());
            }
            place.encoding.decode(&bytes, &mut out[wanted.start - first..wanted.end - first]);
        }
        Ok(())
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
