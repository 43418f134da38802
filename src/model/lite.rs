//! The lite backbone: face-api's expression network, 112×112 RGB, any laptop.
//!
//! Four dense blocks of depthwise-separable convolutions, an average, one linear layer. Architecture and (MIT)
//! weights are those of the npm package `@vladmandic/face-api` 1.7.15, under names of our own: see `emofed import`.

use super::ModelError;
use super::loader::Loader;
use super::network::{Activation, Convolution, Map, Network, Prologue};
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

/// The lite backbone.
pub struct Lite {
    /// From images, RGB in [0, 1], to the features, one pixel of 256 channels.
    pub extractor: Network,
    /// From the features to the logits.
    pub head: Network,
}

impl Lite {
    /// Reads `dense{0..3}.conv{0..3}.…` and `fc.…`.
    ///
    /// # Errors
    /// A tensor is missing, misshapen or not finite.
    pub fn load(weights: &Weights) -> Result<Self, ModelError> {
        let loader = Loader::new(weights)?;
        let mut extractor = Network::new(INPUT, 3);
        let mut x = extractor.input;
        for index in 0..CHANNELS.len() - 1 {
            x = dense_block(&mut extractor, &loader, index, x)?;
        }
        // 7×7 pixels are left.
        extractor.outputs = vec![extractor.mean(x)];

        let mut head = Network::new(1, FEATURES);
        let values = |name, shape: &[usize]| loader.values(name, shape).map(<[f32]>::to_vec);
        let weight = values("fc.weight", &[EXPRESSIONS.len(), FEATURES])?;
        let linear = Convolution::new(weight, values("fc.bias", &[EXPRESSIONS.len()])?, 1);
        head.outputs = vec![head.convolve(head.input, linear)];
        Ok(Self { extractor, head })
    }
}

/// Four convolutions; each but the first reads the sum of all before it, without what is negative. The first halves
/// the map, padded as TensorFlow's `same` does, with a zero at the end only.
fn dense_block(network: &mut Network, loader: &Loader, index: usize, x: Map) -> Result<Map, ModelError> {
    let (inputs, outputs) = (CHANNELS[index], CHANNELS[index + 1]);
    let name = |conv: usize| format!("dense{index}.conv{conv}");
    let mut sum = if index == 0 {
        let mean = MEAN.map(|value| -value / 255.0).to_vec();
        let centred = Prologue { affine: Some((vec![1.0; inputs], mean)), relu: false };
        let first = loader.convolution(&name(0), [outputs, inputs, 3])?.after(centred);
        network.convolve(x, first.strided(2, (0, 1)).then(Activation::Relu))
    } else {
        let [depthwise, pointwise] = loader.separable(&name(0), inputs, outputs)?;
        let halved = network.convolve(x, depthwise.strided(2, (0, 1)));
        network.convolve(halved, pointwise.then(Activation::Relu))
    };
    for conv in 1..4 {
        let [depthwise, pointwise] = loader.separable(&name(conv), outputs, outputs)?;
        let filtered = network.convolve(sum, depthwise.after(Prologue { affine: None, relu: conv > 1 }));
        let last = if conv == 3 { Activation::Relu } else { Activation::None };
        sum = network.convolve_onto(filtered, pointwise.then(last), sum);
    }
    Ok(sum)
}
