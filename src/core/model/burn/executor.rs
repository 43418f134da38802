//! Executes a [`Graph`] on burn, one tensor operation after the other: the reference that our own executors are tested
//! against.

use std::collections::HashMap;

use burn::tensor::activation::{leaky_relu, relu};
use burn::tensor::module::{conv2d, interpolate, max_pool2d};
use burn::tensor::ops::{ConvOptions, InterpolateMode, InterpolateOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};

use crate::model::ModelError;
use crate::model::graph::{Activation, ConcatAdd, Convolution, FeatureMap, Graph, Liveness, Node, Op, Shape};

/// A graph with its weights on a device of burn's.
pub struct Executor {
    input: FeatureMap,
    outputs: Vec<FeatureMap>,
    nodes: Vec<Node<PreparedConvolution>>,
    liveness: Liveness,
    device: Device,
}

struct PreparedConvolution {
    weight: Tensor<4>,
    bias: Tensor<1>,
    affine: Option<(Tensor<4>, Tensor<4>)>,
    prologue_relu: bool,
    activation: Activation,
    options: ConvOptions<2>,
}

impl Executor {
    /// Puts the weights on `device`.
    pub fn new(graph: &Graph, device: &Device) -> Self {
        let prepare = |node: &Node| Node {
            op: node.op.map_convolution(|convolution, input| PreparedConvolution::new(convolution, input, device)),
            output: node.output,
        };
        Self {
            input: graph.input(),
            outputs: graph.outputs().to_vec(),
            nodes: graph.nodes().iter().map(prepare).collect(),
            liveness: Liveness::of(graph),
            device: device.clone(),
        }
    }

    /// Runs it on images, NCHW `[images, channels, height, width]`, and returns its outputs, NHWC `[images, height, width,
    /// channels]` each.
    ///
    /// # Errors
    /// [`ModelError::Device`] if the device fails.
    pub async fn run(&self, planes: &[f32]) -> Result<Vec<Vec<f32>>, ModelError> {
        let Shape { height, width, channels } = self.input.shape;
        let shape = [planes.len() / self.input.shape.elements(), channels, height, width];
        let mut values: HashMap<usize, Tensor<4>> = HashMap::new();
        values.insert(self.input.id, Tensor::from_data(TensorData::new(planes.to_vec(), shape), &self.device));
        for (index, node) in self.nodes.iter().enumerate() {
            let read = |map: &FeatureMap| values[&map.id].clone();
            let result = match &node.op {
                Op::Convolution { convolution, input, residual, .. } => {
                    convolution.run(read(input), residual.as_ref().map(read))
                }
                Op::MaxPool { input, stride } => {
                    // Padding is −∞; a row that is not needed at the end is not read.
                    let options = MaxPoolOptions::new([2, 2]).with_stride([*stride; 2]);
                    max_pool2d(read(input), options.with_padding_pairs([(0, 1), (0, 1)]))
                }
                Op::UpsampleAdd { low, high } => {
                    let twice = InterpolateOptions::new(InterpolateMode::Nearest).with_scale_factor([2.0, 2.0]);
                    let resized = interpolate(read(low), twice);
                    let Shape { height, width, .. } = high.shape;
                    read(high) + resized.slice_dim(2, 0..height).slice_dim(3, 0..width)
                }
                Op::MultiplyAdd { input, gate, addend } => read(addend) + read(input) * read(gate),
                Op::GlobalAveragePool { input } => read(input).mean_dim(3).mean_dim(2),
            };
            if let Some(ConcatAdd { residual, channel_offset, output }) = node.op.concat() {
                let channels = channel_offset..channel_offset + node.output.shape.channels;
                let branch = result.clone() + read(&residual).slice_dim(1, channels);
                let branches = values.remove(&output.id).into_iter().chain([branch]).collect();
                values.insert(output.id, Tensor::cat(branches, 1));
            }
            values.insert(node.output.id, result);
            for map in node.op.inputs() {
                if self.liveness.last_access(map) == index {
                    values.remove(&map.id);
                }
            }
        }
        let mut outputs = Vec::with_capacity(self.outputs.len());
        for map in &self.outputs {
            let data = values[&map.id].clone().permute([0, 2, 3, 1]).into_data_async().await;
            let data = data.map_err(|error| ModelError::Device(error.to_string()))?;
            outputs.push(data.try_into_vec::<f32>().map_err(|error| ModelError::Device(error.to_string()))?);
        }
        Ok(outputs)
    }
}

impl PreparedConvolution {
    fn new(c: &Convolution, input: Shape, device: &Device) -> Self {
        let (group_channels, groups) = if c.depthwise { (1, input.channels) } else { (input.channels, 1) };
        let mut options = ConvOptions::new([c.stride; 2], [0, 0], [1, 1], groups);
        options.padding = [c.padding; 2];
        let per_channel =
            |values: &[f32]| Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len(), 1, 1]), device);
        let affine = c.prologue.affine.as_ref().map(|(scale, shift)| (per_channel(scale), per_channel(shift)));
        let shape = [c.out_channels, group_channels, c.kernel_size, c.kernel_size];
        Self {
            weight: Tensor::from_data(TensorData::new(c.weight.clone(), shape), device),
            bias: Tensor::from_data(TensorData::new(c.bias.clone(), [c.out_channels]), device),
            affine,
            prologue_relu: c.prologue.relu,
            activation: c.activation,
            options,
        }
    }

    fn run(&self, mut x: Tensor<4>, residual: Option<Tensor<4>>) -> Tensor<4> {
        if let Some((scale, shift)) = &self.affine {
            x = x * scale.clone() + shift.clone();
        }
        if self.prologue_relu {
            x = relu(x);
        }
        let mut y = conv2d(x, self.weight.clone(), Some(self.bias.clone()), self.options.clone());
        if let Some(residual) = residual {
            y = y + residual;
        }
        match self.activation {
            Activation::None => y,
            Activation::Relu => relu(y),
            Activation::LeakyRelu { slope } => leaky_relu(y, f64::from(slope)),
        }
    }
}
