//! Named tensors and their safetensors form: what models are loaded from and what travels.

mod encoded;
mod header;
mod int8;
mod value_ranges;
mod values;

use std::collections::{BTreeMap, HashMap};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

pub(crate) use self::encoded::{CHUNK, for_each_chunk};
pub use self::encoded::{EncodedWeights, FiniteWeights};
use self::header::{check_unique_keys, shown};
pub use self::int8::{Int8Weights, Scales};
pub use self::value_ranges::ValueRanges;
pub(crate) use self::values::Values;

/// A dense row-major `f32` tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The length of each dimension, outermost first.
    pub shape: Vec<usize>,
    /// As many values as the product of `shape`.
    pub values: Vec<f32>,
}

impl Tensor {
    /// A tensor of `values` in `shape`.
    ///
    /// # Panics
    /// If the number of values is not the product of `shape`: that is a mistake of the caller, never of a file.
    pub fn new(shape: impl Into<Vec<usize>>, values: Vec<f32>) -> Self {
        let shape = shape.into();
        assert_eq!(shape.iter().product::<usize>(), values.len(), "values do not fill {shape:?}");
        Self { shape, values }
    }
}

/// Tensors by name, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights(BTreeMap<String, Tensor>);

/// Why tensors could not be read or do not fit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WeightsError {
    /// The bytes are not a safetensors file, or are cut short.
    #[error("not a complete safetensors file: {}", shown(.0))]
    Malformed(String),
    /// A tensor that the model needs is not there.
    #[error("tensor `{name}` is missing")]
    Missing {
        /// The tensor.
        name: String,
    },
    /// There is a tensor that the model does not have.
    #[error("tensor `{}` does not belong to this model", shown(.name))]
    Unexpected {
        /// The tensor.
        name: String,
    },
    /// A tensor has another shape than the model's.
    #[error("tensor `{name}` has shape {}, expected {expected:?}", shown(format_args!("{found:?}")))]
    Shape {
        /// The tensor.
        name: String,
        /// The model's shape.
        expected: Vec<usize>,
        /// The shape that came.
        found: Vec<usize>,
    },
    /// A tensor is stored as a type that is not read here.
    #[error("tensor `{}` is stored as {found}, expected F32 or F16", shown(.name))]
    Type {
        /// The tensor.
        name: String,
        /// The type that came.
        found: String,
    },
    /// A tensor in eight bits has no usable scale, or a scale no tensor.
    #[error("tensor `{}` and its scale do not fit: there must be one each, finite and not negative", shown(.name))]
    Scale {
        /// The tensor.
        name: String,
    },
    /// A tensor holds NaN or an infinity.
    #[error("tensor `{name}` is not finite at position {index}")]
    NotFinite {
        /// The tensor.
        name: String,
        /// Row-major position of the first such value.
        index: usize,
    },
}

impl WeightsError {
    /// The tensor at fault, where there is one.
    pub fn tensor(&self) -> Option<&str> {
        match self {
            Self::Malformed(_) => None,
            Self::Missing { name }
            | Self::Unexpected { name }
            | Self::Shape { name, .. }
            | Self::Type { name, .. }
            | Self::Scale { name }
            | Self::NotFinite { name, .. } => Some(name),
        }
    }
}

impl Weights {
    /// No tensors yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a tensor.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.0.insert(name.into(), tensor);
    }

    /// The tensor called `name`.
    ///
    /// # Errors
    /// [`WeightsError::Missing`].
    pub fn get(&self, name: &str) -> Result<&Tensor, WeightsError> {
        self.0.get(name).ok_or_else(|| WeightsError::Missing { name: name.to_owned() })
    }

    /// The tensor called `name`, which must have `shape`.
    ///
    /// # Errors
    /// [`WeightsError::Missing`] or [`WeightsError::Shape`].
    pub fn get_shaped(&self, name: &str, shape: &[usize]) -> Result<&Tensor, WeightsError> {
        let tensor = self.get(name)?;
        if tensor.shape == shape {
            Ok(tensor)
        } else {
            Err(WeightsError::Shape { name: name.to_owned(), expected: shape.to_vec(), found: tensor.shape.clone() })
        }
    }

    /// Names and tensors in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Names and tensors in order, to be changed in place.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Tensor)> {
        self.0.iter_mut().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many values all tensors hold.
    pub fn value_count(&self) -> usize {
        self.0.values().map(|tensor| tensor.values.len()).sum()
    }

    /// The Euclidean norm over all values.
    pub fn norm(&self) -> f64 {
        self.0.values().flat_map(|tensor| &tensor.values).map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt()
    }

    /// Multiplies every value by `factor`, in `f64`.
    pub fn scale(&mut self, factor: f64) {
        self.0.values_mut().for_each(|tensor| scale(&mut tensor.values, factor));
    }

    /// Each value minus that of `base`.
    ///
    /// # Errors
    /// `base` has another layout.
    pub fn subtract(&self, base: &Self) -> Result<Self, WeightsError> {
        self.check_same_layout(base)?;
        let mut difference = self.clone();
        for (tensor, base) in difference.0.values_mut().zip(base.0.values()) {
            tensor.values.iter_mut().zip(&base.values).for_each(|(value, base)| *value -= base);
        }
        Ok(difference)
    }

    /// Checks that `self` has exactly the names and shapes of `model`.
    ///
    /// # Errors
    /// The first tensor that is missing, misshapen or unknown.
    pub fn check_same_layout(&self, model: &Self) -> Result<(), WeightsError> {
        for (name, tensor) in &model.0 {
            self.get_shaped(name, &tensor.shape)?;
        }
        match self.0.keys().find(|name| !model.0.contains_key(*name)) {
            Some(name) => Err(WeightsError::Unexpected { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// Checks that no value is NaN or infinite.
    ///
    /// # Errors
    /// [`WeightsError::NotFinite`] with the first such place.
    pub fn check_finite(&self) -> Result<(), WeightsError> {
        for (name, tensor) in &self.0 {
            if let Some(index) = tensor.values.iter().position(|value| !value.is_finite()) {
                return Err(WeightsError::NotFinite { name: name.clone(), index });
            }
        }
        Ok(())
    }

    /// Reads every tensor of a safetensors file; F16 is widened.
    ///
    /// # Errors
    /// [`WeightsError::Malformed`] or [`WeightsError::Type`]. Values are not checked to be finite.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, WeightsError> {
        value_ranges::decode(bytes, None)
    }

    /// The file's `__metadata__`, empty where it has none.
    ///
    /// # Errors
    /// [`WeightsError::Malformed`].
    pub fn metadata(bytes: &[u8]) -> Result<HashMap<String, String>, WeightsError> {
        check_unique_keys(bytes)?;
        let (_, header) =
            SafeTensors::read_metadata(bytes).map_err(|error| WeightsError::Malformed(error.to_string()))?;
        Ok(header.metadata().clone().unwrap_or_default())
    }

    /// Writes all tensors as F32, with `metadata` beside them. The same tensors give the same bytes as long as
    /// there is at most one entry of metadata.
    pub fn to_safetensors(&self, metadata: Option<HashMap<String, String>>) -> Vec<u8> {
        self.serialize(Dtype::F32, metadata, |value| value.to_le_bytes())
    }

    /// Writes all tensors as F16, rounded to the nearest, in half the bytes, with `metadata` beside them.
    pub fn to_safetensors_f16(&self, metadata: Option<HashMap<String, String>>) -> Vec<u8> {
        self.serialize(Dtype::F16, metadata, |value| half::f16::from_f32(value).to_le_bytes())
    }

    fn serialize<const SIZE: usize>(
        &self,
        dtype: Dtype,
        metadata: Option<HashMap<String, String>>,
        encode: impl Fn(f32) -> [u8; SIZE],
    ) -> Vec<u8> {
        let encode = |tensor: &Tensor| {
            let mut bytes = vec![0; tensor.values.len() * SIZE];
            bytes.as_chunks_mut().0.iter_mut().zip(&tensor.values).for_each(|(bytes, value)| *bytes = encode(*value));
            bytes
        };
        let tensors: Vec<EncodedTensor<'_>> =
            self.iter().map(|(name, tensor)| (name, tensor.shape.as_slice(), encode(tensor))).collect();
        write_file(dtype, &tensors, metadata)
    }
}

/// Multiplies `values` by `factor`, in `f64`.
pub fn scale(values: &mut [f32], factor: f64) {
    if factor != 1.0 {
        values.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
    }
}

/// Name, shape and bytes of a tensor.
type EncodedTensor<'a> = (&'a str, &'a [usize], Vec<u8>);

/// A safetensors file of `tensors`, each with as many values of `dtype` as its shape says.
fn write_file(dtype: Dtype, tensors: &[EncodedTensor<'_>], metadata: Option<HashMap<String, String>>) -> Vec<u8> {
    // `expect` would bring the words of all errors along, which each tab loads.
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let Ok(view) = TensorView::new(dtype, shape.to_vec(), bytes) else {
            unreachable!("as many values as the shape says")
        };
        (*name, view)
    });
    let Ok(file) = safetensors::serialize(views, metadata) else { unreachable!("names are unique and views fit") };
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Weights {
        let mut weights = Weights::new();
        weights.insert("b", Tensor::new([2, 2], vec![1.0, -2.0, 3.5, 0.0]));
        weights.insert("a", Tensor::new([1], vec![7.0]));
        weights
    }

    #[test]
    fn survives_a_round_trip_with_metadata() {
        let metadata = HashMap::from([("round".to_owned(), "3".to_owned())]);
        let bytes = sample().to_safetensors(Some(metadata.clone()));
        assert_eq!(Weights::from_safetensors(&bytes).unwrap(), sample());
        assert_eq!(Weights::metadata(&bytes).unwrap(), metadata);
    }

    #[test]
    fn every_cut_is_an_error() {
        let bytes = sample().to_safetensors(None);
        for length in 0..bytes.len() {
            assert!(matches!(Weights::from_safetensors(&bytes[..length]), Err(WeightsError::Malformed(_))));
        }
    }

    #[test]
    fn layout_and_finiteness_name_the_tensor() {
        let model = sample();
        let mut other = sample();
        other.insert("b", Tensor::new([4], vec![0.0; 4]));
        assert_eq!(other.check_same_layout(&model).unwrap_err().tensor(), Some("b"));
        other = sample();
        other.insert("c", Tensor::new([1], vec![0.0]));
        assert_eq!(other.check_same_layout(&model), Err(WeightsError::Unexpected { name: "c".into() }));
        other = sample();
        other.insert("a", Tensor::new([1], vec![f32::NAN]));
        assert_eq!(other.check_finite(), Err(WeightsError::NotFinite { name: "a".into(), index: 0 }));
        assert!(model.check_finite().is_ok() && sample().check_same_layout(&model).is_ok());
    }
}
