//! Linear operations that are combined while loading, in f64 so that nothing is lost by rounding.

use crate::model::ModelError;
use crate::model::graph::{Convolution, Prologue};
use crate::model::loader::Loader;

/// What PyTorch adds to the running variance.
const EPSILON: f64 = 1e-5;

/// A batch norm in inference: a scale and a shift for each channel.
pub(super) struct BatchNorm {
    scale: Vec<f64>,
    shift: Vec<f64>,
}

/// The batch norm `name` over `channels`, with its running statistics.
pub(super) fn batch_norm(loader: &Loader, name: &str, channels: usize) -> Result<BatchNorm, ModelError> {
    let read = |leaf: &str| loader.values(&format!("{name}.{leaf}"), &[channels]);
    let (weight, bias, mean, variance) = (read("weight")?, read("bias")?, read("running_mean")?, read("running_var")?);
    let scale: Vec<f64> =
        weight.iter().zip(variance).map(|(&w, &v)| f64::from(w) / (f64::from(v) + EPSILON).sqrt()).collect();
    let shift = bias.iter().zip(mean).zip(&scale).map(|((&b, &m), s)| f64::from(b) - f64::from(m) * s).collect();
    Ok(BatchNorm { scale, shift })
}

impl BatchNorm {
    /// Followed by a ReLU, as the prologue of the next convolution.
    pub fn with_relu(&self) -> Prologue {
        Prologue { affine: Some((narrow(&self.scale), narrow(&self.shift))), relu: true }
    }
}

/// The convolution `conv` of `shape` `[out, in, height, width]`, with bias, followed by the batch norm `bn`.
pub(super) fn conv_norm(loader: &Loader, conv: &str, bn: &str, shape: [usize; 4]) -> Result<Convolution, ModelError> {
    let [outputs, inputs, height, width] = shape;
    let weight = loader.values(&format!("{conv}.weight"), &shape)?;
    let linear = Linear {
        inputs: inputs * height * width,
        weight: widen(weight),
        bias: widen(loader.values(&format!("{conv}.bias"), &[outputs])?),
    };
    let linear = linear.then_batch_norm(&batch_norm(loader, bn, outputs)?);
    Ok(Convolution::new(narrow(&linear.weight), narrow(&linear.bias), height))
}

/// A linear layer over the channels of a pixel (or a feature vector), with bias: a 1×1 convolution.
#[derive(Clone)]
pub(super) struct Linear {
    inputs: usize,
    /// `[out, in]`.
    weight: Vec<f64>,
    /// `[out]`.
    bias: Vec<f64>,
}

impl Linear {
    /// A 1×1 convolution or linear layer.
    pub fn load(loader: &Loader, name: &str, inputs: usize, outputs: usize) -> Result<Self, ModelError> {
        let weight_name = format!("{name}.weight");
        let convolution = loader.shape(&weight_name).is_some_and(|shape| shape.len() == 4);
        let shape: &[usize] = if convolution { &[outputs, inputs, 1, 1] } else { &[outputs, inputs] };
        let weight = widen(loader.values(&weight_name, shape)?);
        Ok(Self { inputs, weight, bias: widen(loader.values(&format!("{name}.bias"), &[outputs])?) })
    }

    /// First `self`, then `next`.
    pub fn then(&self, next: &Self) -> Self {
        let mut weight = vec![0.0; next.outputs() * self.inputs];
        let mut bias = next.bias.clone();
        for (row, (outer, bias)) in next.weight.chunks_exact(next.inputs).zip(&mut bias).enumerate() {
            let combined = &mut weight[row * self.inputs..][..self.inputs];
            for ((&factor, inner), inner_bias) in
                outer.iter().zip(self.weight.chunks_exact(self.inputs)).zip(&self.bias)
            {
                combined.iter_mut().zip(inner).for_each(|(sum, value)| *sum += factor * value);
                *bias += factor * inner_bias;
            }
        }
        Self { inputs: self.inputs, weight, bias }
    }

    /// First `self`, then `norm`.
    pub fn then_batch_norm(mut self, norm: &BatchNorm) -> Self {
        let rows = self.weight.chunks_exact_mut(self.inputs).zip(&mut self.bias);
        for ((row, bias), (scale, shift)) in rows.zip(norm.scale.iter().zip(&norm.shift)) {
            row.iter_mut().for_each(|value| *value *= scale);
            *bias = *bias * scale + shift;
        }
        self
    }

    /// The sum of both, for the same input.
    pub fn plus(&self, other: &Self) -> Self {
        let add = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect();
        Self { inputs: self.inputs, weight: add(&self.weight, &other.weight), bias: add(&self.bias, &other.bias) }
    }

    /// The part that reads `count` input channels from `start` on, without bias.
    pub fn input_slice(&self, start: usize, count: usize) -> Self {
        let weight = self.weight.chunks_exact(self.inputs).flat_map(|row| &row[start..start + count]).copied();
        Self { inputs: count, weight: weight.collect(), bias: vec![0.0; self.outputs()] }
    }

    /// The same with the bias of `other`.
    pub fn with_bias_of(mut self, other: &Self) -> Self {
        self.bias.clone_from(&other.bias);
        self
    }

    /// One output channel, the sum of all.
    pub fn sum_of_channels(&self) -> Self {
        let mut weight = vec![0.0; self.inputs];
        for row in self.weight.chunks_exact(self.inputs) {
            weight.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        Self { inputs: self.inputs, weight, bias: vec![self.bias.iter().sum()] }
    }

    /// As a 1×1 convolution; a linear layer is one over one pixel.
    pub fn convolution(&self) -> Convolution {
        Convolution::new(narrow(&self.weight), narrow(&self.bias), 1)
    }

    fn outputs(&self) -> usize {
        self.bias.len()
    }
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}
