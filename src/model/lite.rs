//! The lite backbone: face-api's expression network, 112×112 RGB, any laptop.
//!
//! Four dense blocks of depthwise-separable convolutions, an average, one linear layer. Architecture and (MIT)
//! weights are those of the npm package `@vladmandic/face-api` 1.7.15, under names of our own: see `emofed import`.

use burn::tensor::{Device, Tensor, activation::relu};

use super::{
    ModelError,
    layers::{Conv, Linear, Loader, SeparableConv},
};
use crate::weights::Weights;

/// Pixels on each side of the input.
pub const INPUT: usize = 112;

/// How many features there are of an image.
pub const FEATURES: usize = 256;

/// The expressions, in the order of the logits.
pub const EXPRESSIONS: [&str; 7] = ["neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised"];

/// Channels of the image and after each dense block.
const CHANNELS: [usize; 5] = [3, 32, 64, 128, FEATURES];

/// Mean of the training images, 8-bit RGB.
const MEAN: [f32; 3] = [122.782, 117.001, 104.298];

/// The lite backbone with its image head.
pub struct Lite {
    mean: Tensor<4>,
    blocks: Vec<DenseBlock>,
    head: Linear,
}

impl Lite {
    /// Reads `dense{0..3}.conv{0..3}.…` and `fc.…`.
    ///
    /// # Errors
    /// A tensor is missing, misshapen or not finite.
    pub fn load(weights: &Weights, device: &Device) -> Result<Self, ModelError> {
        let loader = Loader::new(weights, device)?;
        let blocks = (0..CHANNELS.len() - 1).map(|index| DenseBlock::load(&loader, index)).collect::<Result<_, _>>()?;
        let head = Linear::new(
            loader.tensor("fc.weight", [EXPRESSIONS.len(), FEATURES])?,
            loader.tensor("fc.bias", [EXPRESSIONS.len()])?,
        );
        Ok(Self { mean: loader.upload(MEAN.map(|v| v / 255.0).to_vec(), [1, 3, 1, 1]), blocks, head })
    }

    /// `[batch, 3, 112, 112]` RGB in [0, 1] to features `[batch, 256]`.
    pub fn features(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.blocks.iter().fold(images - self.mean.clone(), |x, block| block.forward(x));
        // 7×7 pixels are left.
        x.flatten::<3>(2, 3).mean_dim(2).flatten(1, 2)
    }

    /// Features `[batch, 256]` to logits `[batch, 7]`.
    pub fn logits(&self, features: Tensor<2>) -> Tensor<2> {
        self.head.forward(features)
    }
}

/// Four convolutions; each but the first reads the sum of all before it.
struct DenseBlock {
    first: First,
    others: [SeparableConv; 3],
}

/// The halving convolution that opens a block: a full one on the image, else a separable one.
#[allow(clippy::large_enum_variant)]
enum First {
    Full(Conv),
    Separable(SeparableConv),
}

impl DenseBlock {
    fn load(loader: &Loader, index: usize) -> Result<Self, ModelError> {
        let (inputs, outputs) = (CHANNELS[index], CHANNELS[index + 1]);
        let name = |conv: usize| format!("dense{index}.conv{conv}");
        let first = if index == 0 {
            let weight = loader.tensor(&format!("{}.weight", name(0)), [outputs, inputs, 3, 3])?;
            let bias = loader.tensor(&format!("{}.bias", name(0)), [outputs])?;
            First::Full(Conv::new(weight, Some(bias)).with_stride(2).with_padding(0, 1))
        } else {
            First::Separable(SeparableConv::load(loader, &name(0), inputs, outputs)?.halving())
        };
        let other = |conv| SeparableConv::load(loader, &name(conv), outputs, outputs);
        Ok(Self { first, others: [other(1)?, other(2)?, other(3)?] })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut sum = relu(match &self.first {
            First::Full(conv) => conv.forward(x),
            First::Separable(conv) => conv.forward(x),
        });
        let mut x = sum.clone();
        for conv in &self.others {
            sum = sum + conv.forward(x);
            x = relu(sum.clone());
        }
        x
    }
}
