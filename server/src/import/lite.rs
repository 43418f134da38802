//! The lite backbone and the face detector, from the folder `model` of the npm package `@vladmandic/face-api`.
//!
//! A manifest lists tensors in the order in which a .bin file holds them, as f32 or as bytes with a scale and a
//! minimum. TensorFlow orders a filter `[height, width, in, out]`, burn `[out, in, height, width]`.

use std::path::Path;

use emofed::{
    model::{FaceDetector, ModelError, lite::Lite},
    weights::{Tensor, Weights},
};
use serde::Deserialize;

use super::ImportError;

/// What the package provides.
#[derive(Clone, Debug, PartialEq)]
pub struct LitePack {
    /// For [`Lite`].
    pub backbone: Weights,
    /// For [`FaceDetector`].
    pub detector: Weights,
}

/// Reads and converts the models in `folder`, and checks that they load.
///
/// # Errors
/// A file is missing, cut short or too long, or holds other tensors.
pub fn convert(folder: &Path) -> Result<LitePack, ImportError> {
    convert_files(folder, |path| std::fs::read(path))
}

/// [`convert`] with the files' bytes from `read`, which gets their paths.
///
/// # Errors
/// As of [`convert`].
pub fn convert_files(folder: &Path, read: impl Fn(&Path) -> std::io::Result<Vec<u8>>) -> Result<LitePack, ImportError> {
    let files = Files { folder, read };
    let backbone = files.model("face_expression_model", |weights| Lite::load(weights).map(drop))?;
    let detector = files.model("tiny_face_detector_model", |weights| FaceDetector::load(weights).map(drop))?;
    Ok(LitePack { backbone, detector })
}

#[derive(Deserialize)]
struct Group {
    weights: Vec<Entry>,
    paths: Vec<String>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    shape: Vec<usize>,
    dtype: String,
    quantization: Option<Quantization>,
}

#[derive(Deserialize)]
struct Quantization {
    dtype: String,
    scale: f64,
    min: f64,
}

struct Files<'a, R> {
    folder: &'a Path,
    read: R,
}

impl<R: Fn(&Path) -> std::io::Result<Vec<u8>>> Files<'_, R> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, ImportError> {
        (self.read)(path).map_err(|error| ImportError::file(path, error))
    }

    /// The tensors of `model`, in our names and orders, if `check` takes them.
    fn model(&self, model: &str, check: impl Fn(&Weights) -> Result<(), ModelError>) -> Result<Weights, ImportError> {
        let manifest = self.folder.join(format!("{model}-weights_manifest.json"));
        let malformed = |reason: String| ImportError::malformed(&manifest, reason);
        let groups: Vec<Group> =
            serde_json::from_slice(&self.read(&manifest)?).map_err(|error| malformed(error.to_string()))?;
        let mut weights = Weights::new();
        for group in groups {
            let mut bytes = Vec::new();
            for path in &group.paths {
                bytes.extend(self.read(&self.folder.join(path))?);
            }
            let mut rest = bytes.as_slice();
            for entry in &group.weights {
                let values = entry.take(&mut rest).map_err(malformed)?;
                let (name, tensor) = entry.convert(values).map_err(malformed)?;
                weights.insert(name, tensor);
            }
            if !rest.is_empty() {
                return Err(malformed(format!("its .bin file is {} bytes longer than its tensors", rest.len())));
            }
        }
        check(&weights).map_err(|error| ImportError::model(&manifest, error))?;
        Ok(weights)
    }
}

impl Entry {
    /// Takes the tensor's values off the front of `bytes`.
    fn take(&self, bytes: &mut &[u8]) -> Result<Vec<f32>, String> {
        let element_size = match (self.dtype.as_str(), self.quantization.as_ref().map(|q| q.dtype.as_str())) {
            ("float32", None) => 4,
            ("float32", Some("uint8")) => 1,
            (dtype, stored) => return Err(format!("`{}` is {dtype} stored as {stored:?}", self.name)),
        };
        let length = self.shape.iter().try_fold(element_size, |product: usize, &length| product.checked_mul(length));
        let Some((mine, rest)) = length.and_then(|length| bytes.split_at_checked(length)) else {
            return Err(format!("its .bin file ends within `{}`", self.name));
        };
        *bytes = rest;
        Ok(match &self.quantization {
            Some(q) => mine.iter().map(|&byte| (f64::from(byte) * q.scale + q.min) as f32).collect(),
            None => mine.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        })
    }

    /// Our name and order of axes.
    fn convert(&self, values: Vec<f32>) -> Result<(String, Tensor), String> {
        let (layer, leaf) = self.name.rsplit_once('/').ok_or_else(|| format!("`{}` names no layer", self.name))?;
        let layer = layer.replace('/', ".");
        let tensor = Tensor::new(self.shape.clone(), values);
        let rank = self.shape.len();
        match (leaf, rank) {
            ("bias", 1) => Ok((format!("{layer}.bias"), tensor)),
            ("weights", 2) => Ok((format!("{layer}.weight"), permute(&tensor, &[1, 0]))),
            ("filters", 4) => Ok((format!("{layer}.weight"), permute(&tensor, &[3, 2, 0, 1]))),
            ("pointwise_filter", 4) => Ok((format!("{layer}.pointwise.weight"), permute(&tensor, &[3, 2, 0, 1]))),
            ("depthwise_filter", 4) => Ok((format!("{layer}.depthwise.weight"), permute(&tensor, &[2, 3, 0, 1]))),
            _ => Err(format!("`{}` with {rank} axes is unknown", self.name)),
        }
    }
}

/// The tensor whose axis `i` is axis `axes[i]` of `tensor`.
fn permute(tensor: &Tensor, axes: &[usize]) -> Tensor {
    let shape: Vec<usize> = axes.iter().map(|&axis| tensor.shape[axis]).collect();
    let strides: Vec<usize> = axes.iter().map(|&axis| tensor.shape[axis + 1..].iter().product()).collect();
    let values = (0..tensor.values.len()).map(|index| {
        let mut rest = index;
        let from: usize = shape
            .iter()
            .zip(&strides)
            .rev()
            .map(|(length, stride)| {
                let position = rest % length;
                rest /= length;
                position * stride
            })
            .sum();
        tensor.values[from]
    });
    let values = values.collect();
    Tensor::new(shape, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutes_axes() {
        let tensor = Tensor::new([2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(permute(&tensor, &[1, 0]), Tensor::new([3, 2], vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
        let filter = Tensor::new([1, 2, 3, 1], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(permute(&filter, &[3, 2, 0, 1]), Tensor::new([1, 3, 1, 2], vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
    }

    #[test]
    fn dequantises_and_refuses_what_is_cut_short() {
        let entry = Entry {
            name: "fc/bias".into(),
            shape: vec![2],
            dtype: "float32".into(),
            quantization: Some(Quantization { dtype: "uint8".into(), scale: 0.5, min: -1.0 }),
        };
        let mut bytes: &[u8] = &[0, 4, 9];
        assert_eq!(entry.take(&mut bytes), Ok(vec![-1.0, 1.0]));
        assert_eq!(bytes, [9]);
        assert!(entry.take(&mut bytes).unwrap_err().contains("`fc/bias`"));
    }
}
