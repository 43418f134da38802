//! Frozen layers over burn's functional operations. There is nothing to train here, so there are no modules.

use std::{cell::RefCell, collections::BTreeSet};

use burn::tensor::{
    Device, Tensor, TensorData,
    activation::relu,
    module::{conv2d, linear, max_pool2d},
    ops::{ConvOptions, MaxPoolOptions},
};

use super::ModelError;
use crate::weights::Weights;

/// Reads tensors by name, checks their shapes and puts them on a device.
pub(super) struct Loader<'a> {
    weights: &'a Weights,
    device: &'a Device,
    prefix: &'static str,
    used: RefCell<BTreeSet<String>>,
}

impl<'a> Loader<'a> {
    /// A loader of `weights`, which must be finite.
    pub fn new(weights: &'a Weights, device: &'a Device) -> Result<Self, ModelError> {
        weights.check_finite()?;
        Ok(Self { weights, device, prefix: "", used: RefCell::default() })
    }

    /// The same, for weights whose names all start with `prefix`.
    pub fn with_prefix(self, prefix: &'static str) -> Self {
        Self { prefix, ..self }
    }

    /// The names of all tensors, without the prefix.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.weights.iter().filter_map(|(name, _)| name.strip_prefix(self.prefix))
    }

    /// The shape of the tensor `name`, or `None` if there is none.
    pub fn shape(&self, name: &str) -> Option<&'a [usize]> {
        self.weights.get(&format!("{}{name}", self.prefix)).ok().map(|tensor| tensor.shape.as_slice())
    }

    /// The values of the tensor `name`, which must have `shape`.
    pub fn values(&self, name: &str, shape: &[usize]) -> Result<&'a [f32], ModelError> {
        let tensor = self.weights.get_shaped(&format!("{}{name}", self.prefix), shape)?;
        self.used.borrow_mut().insert(name.to_owned());
        Ok(&tensor.values)
    }

    /// All tensors that were read so far, without the prefix.
    pub fn used(&self) -> Result<Weights, ModelError> {
        let mut used = Weights::new();
        for name in self.used.borrow().iter() {
            used.insert(name.as_str(), self.weights.get(&format!("{}{name}", self.prefix))?.clone());
        }
        Ok(used)
    }

    /// `values` on the device.
    pub fn upload<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values, shape), self.device)
    }

    /// The tensor `name` on the device.
    pub fn tensor<const D: usize>(&self, name: &str, shape: [usize; D]) -> Result<Tensor<D>, ModelError> {
        Ok(self.upload(self.values(name, &shape)?.to_vec(), shape))
    }
}

/// A convolution.
pub(super) struct Conv {
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
}

impl Conv {
    /// `weight` `[out, in / groups, height, width]`, `bias` `[out]`; stride 1, no padding.
    pub fn new(weight: Tensor<4>, bias: Option<Tensor<1>>) -> Self {
        Self { weight, bias, options: ConvOptions::new([1, 1], [0, 0], [1, 1], 1) }
    }

    pub fn with_stride(mut self, stride: usize) -> Self {
        self.options.stride = [stride; 2];
        self
    }

    /// Zero padding at the beginning and the end of both axes.
    pub fn with_padding(mut self, begin: usize, end: usize) -> Self {
        self.options.padding = [(begin, end); 2];
        self
    }

    pub fn with_groups(mut self, groups: usize) -> Self {
        self.options.groups = groups;
        self
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        conv2d(x, self.weight.clone(), self.bias.clone(), self.options.clone())
    }
}

/// One filter per channel, then a mix of the channels with bias.
pub(super) struct SeparableConv {
    depthwise: Conv,
    pointwise: Conv,
}

impl SeparableConv {
    /// Reads `{name}.depthwise.weight`, `{name}.pointwise.weight` and `{name}.bias`; 3×3, stride 1, padding 1.
    pub fn load(loader: &Loader, name: &str, inputs: usize, outputs: usize) -> Result<Self, ModelError> {
        let depthwise = loader.tensor(&format!("{name}.depthwise.weight"), [inputs, 1, 3, 3])?;
        let pointwise = loader.tensor(&format!("{name}.pointwise.weight"), [outputs, inputs, 1, 1])?;
        let bias = loader.tensor(&format!("{name}.bias"), [outputs])?;
        Ok(Self {
            depthwise: Conv::new(depthwise, None).with_groups(inputs).with_padding(1, 1),
            pointwise: Conv::new(pointwise, Some(bias)),
        })
    }

    /// Halves an input of even size, as TensorFlow's padding `same` does: with a zero at the end only.
    pub fn halving(mut self) -> Self {
        self.depthwise = self.depthwise.with_stride(2).with_padding(0, 1);
        self
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.pointwise.forward(self.depthwise.forward(x))
    }
}

/// A fully connected layer.
pub(super) struct Linear {
    weight: Tensor<2>,
    bias: Tensor<1>,
}

impl Linear {
    /// `weight` `[out, in]`, `bias` `[out]`.
    pub fn new(weight: Tensor<2>, bias: Tensor<1>) -> Self {
        Self { weight: weight.transpose(), bias }
    }

    /// `[batch, in]` to `[batch, out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        linear(x, self.weight.clone(), Some(self.bias.clone()))
    }
}

/// A scale and a shift for each channel.
pub(super) struct Affine {
    scale: Tensor<4>,
    shift: Tensor<4>,
}

impl Affine {
    /// `scale` and `shift` `[1, channels, 1, 1]`.
    pub fn new(scale: Tensor<4>, shift: Tensor<4>) -> Self {
        Self { scale, shift }
    }

    /// Scales, shifts and cuts off what is negative.
    pub fn forward_relu(&self, x: Tensor<4>) -> Tensor<4> {
        relu(x * self.scale.clone() + self.shift.clone())
    }
}

/// Maxima of 2×2 pixels, every second one in both directions.
pub(super) fn halve(x: Tensor<4>) -> Tensor<4> {
    max_pool2d(x, MaxPoolOptions::new([2, 2]))
}

/// Refuses an input that is empty, not a multiple of `unit`, or not finite. Returns how many units there are.
pub(super) fn check_input(values: &[f32], unit: usize) -> Result<usize, ModelError> {
    if values.is_empty() || !values.len().is_multiple_of(unit) {
        return Err(ModelError::InputLength { found: values.len(), unit });
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(ModelError::InputNotFinite { index }),
        None => Ok(values.len() / unit),
    }
}

/// Brings a result back to the host. On WebGPU this is where the work is waited for.
pub(super) async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ModelError> {
    let data = tensor.into_data_async().await.map_err(|error| ModelError::Device(error.to_string()))?;
    let values = data.try_into_vec::<f32>().map_err(|error| ModelError::Device(error.to_string()))?;
    if values.iter().all(|value| value.is_finite()) { Ok(values) } else { Err(ModelError::OutputNotFinite) }
}
