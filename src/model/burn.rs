//! Runs a [`Network`] on burn, one tensor operation after the other: the reference that the engines of our own are
//! tested against.

use burn::tensor::activation::{leaky_relu, relu};
use burn::tensor::module::{conv2d, interpolate, max_pool2d};
use burn::tensor::ops::{ConvOptions, InterpolateMode, InterpolateOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};

use super::ModelError;
use super::network::{Activation, Convolution, Joint, Map, Network, Pass};

/// A network with its weights on a device of burn's.
pub struct Engine {
    network: Network,
    last_uses: Vec<usize>,
    kernels: Vec<Kernel>,
    device: Device,
}

struct Kernel {
    weight: Tensor<4>,
    bias: Tensor<1>,
    affine: Option<(Tensor<4>, Tensor<4>)>,
    options: ConvOptions<2>,
}

impl Engine {
    /// Puts the weights on `device`.
    pub fn new(network: &Network, device: &Device) -> Self {
        let mut kernels = Vec::new();
        for pass in &network.passes {
            if let Pass::Convolution { convolution, input, .. } = pass {
                kernels.push(Kernel::new(&network.convolutions[*convolution], *input, device));
            }
        }
        let mut network = network.clone();
        network.convolutions.iter_mut().for_each(|convolution| convolution.weight = Vec::new());
        Self { last_uses: network.last_uses(), network, kernels, device: device.clone() }
    }

    /// Runs it on `planes` `[count, channels, side, side]` and returns its outputs, `[count, side, side, channels]` each.
    ///
    /// # Errors
    /// [`ModelError::Device`] if the device fails.
    pub async fn run(&self, planes: &[f32]) -> Result<Vec<Vec<f32>>, ModelError> {
        let Network { input, maps, passes, outputs, .. } = &self.network;
        let shape = [planes.len() / input.volume(), input.channels, input.side, input.side];
        let mut values: Vec<Option<Tensor<4>>> = vec![None; maps.len()];
        values[input.index] = Some(Tensor::from_data(TensorData::new(planes.to_vec(), shape), &self.device));
        for (step, pass) in passes.iter().enumerate() {
            let read = |map: &Map| values[map.index].clone().expect("a pass reads what an earlier one made");
            let result = match pass {
                Pass::Convolution { convolution, input, add, .. } => {
                    let settings = &self.network.convolutions[*convolution];
                    self.kernels[*convolution].run(settings, read(input), add.as_ref().map(read))
                }
                Pass::MaxPool { input, stride: 2, .. } => {
                    max_pool2d(read(input), MaxPoolOptions::new([2, 2]).with_ceil_mode(true))
                }
                Pass::MaxPool { input, .. } => {
                    let keeping = MaxPoolOptions::new([2, 2]).with_stride([1, 1]);
                    max_pool2d(read(input), keeping.with_padding_pairs([(0, 1), (0, 1)]))
                }
                Pass::AddUpsampled { low, high, .. } => {
                    let twice = InterpolateOptions::new(InterpolateMode::Nearest).with_scale_factor([2.0, 2.0]);
                    read(high) + interpolate(read(low), twice)
                }
                Pass::AddGated { gated, gate, add, .. } => read(add) + read(gated) * read(gate),
                Pass::Mean { input, .. } => read(input).mean_dim(3).mean_dim(2),
            };
            if let Some(Joint { add, first, output }) = pass.joint() {
                let channels = first..first + pass.output().channels;
                let part = result.clone() + read(&add).slice_dim(1, channels);
                let parts = values[output.index].take().into_iter().chain([part]).collect();
                values[output.index] = Some(Tensor::cat(parts, 1));
            }
            values[pass.output().index] = Some(result);
            let unneeded = pass.inputs().into_iter().filter(|map| self.last_uses[map.index] == step);
            unneeded.for_each(|map| values[map.index] = None);
        }
        let mut read = Vec::with_capacity(outputs.len());
        for map in outputs {
            let output = values[map.index].take().ok_or_else(|| ModelError::Device("an output is missing".into()))?;
            let data = output.permute([0, 2, 3, 1]).into_data_async().await;
            let data = data.map_err(|error| ModelError::Device(error.to_string()))?;
            read.push(data.try_into_vec::<f32>().map_err(|error| ModelError::Device(error.to_string()))?);
        }
        Ok(read)
    }
}

impl Kernel {
    fn new(convolution: &Convolution, input: Map, device: &Device) -> Self {
        let Convolution { outputs, size, stride, padding, depthwise, .. } = *convolution;
        let (inputs, groups) = if depthwise { (1, input.channels) } else { (input.channels, 1) };
        let mut options = ConvOptions::new([stride; 2], [0, 0], [1, 1], groups);
        options.padding = [padding; 2];
        let upload =
            |values: &[f32]| Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len(), 1, 1]), device);
        let affine = convolution.prologue.affine.as_ref().map(|(scale, shift)| (upload(scale), upload(shift)));
        let weight = TensorData::new(convolution.weight.clone(), [outputs, inputs, size, size]);
        let bias = TensorData::new(convolution.bias.clone(), [outputs]);
        Self { weight: Tensor::from_data(weight, device), bias: Tensor::from_data(bias, device), affine, options }
    }

    fn run(&self, convolution: &Convolution, mut x: Tensor<4>, add: Option<Tensor<4>>) -> Tensor<4> {
        if let Some((scale, shift)) = &self.affine {
            x = x * scale.clone() + shift.clone();
        }
        if convolution.prologue.relu {
            x = relu(x);
        }
        let mut y = conv2d(x, self.weight.clone(), Some(self.bias.clone()), self.options.clone());
        if let Some(add) = add {
            y = y + add;
        }
        match convolution.activation {
            Activation::None => y,
            Activation::Relu => relu(y),
            Activation::LeakyRelu(slope) => leaky_relu(y, f64::from(slope)),
        }
    }
}
