//! The lite backbone: face-api's expression network, 112×112 RGB, any laptop.
//!
//! Four dense blocks of depthwise-separable convolutions, an average, one linear layer. Architecture and (MIT)
//! weights are those of the npm package `@vladmandic/face-api` 1.7.15, under names of our own: see `emofed import`.

use super::ModelError;
use super::graph::{Activation, Convolution, FeatureMap, Graph, GraphBuilder, Prologue, Shape};
use super::loader::Loader;
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
    pub extractor: Graph,
    /// From the features to the logits.
    pub head: Graph,
}

impl Lite {
    /// Reads `dense{0..3}.conv{0..3}.…` and `fc.…`.
    ///
    /// # Errors
    /// A tensor is missing, misshapen or not finite.
    pub fn load(weights: &Weights) -> Result<Self, ModelError> {
        let loader = Loader::new(weights)?;
        let mut extractor = GraphBuilder::new(Shape::square(INPUT, 3));
        let mut x = extractor.input();
        for index in 0..CHANNELS.len() - 1 {
            x = dense_block(&mut extractor, &loader, index, x)?;
        }
        // `x` is 7×7 now.
        let features = extractor.global_average_pool(x);

        let mut head = GraphBuilder::new(Shape::square(1, FEATURES));
        let values = |name, shape: &[usize]| loader.values(name, shape).map(<[f32]>::to_vec);
        let weight = values("fc.weight", &[EXPRESSIONS.len(), FEATURES])?;
        let linear = Convolution::new(weight, values("fc.bias", &[EXPRESSIONS.len()])?, 1);
        let logits = head.convolution(head.input(), linear);
        Ok(Self { extractor: extractor.finish(&[features])?, head: head.finish(&[logits])? })
    }
}

/// Four convolutions; each but the first reads the ReLU of the sum of all before it. The first has stride 2 and TensorFlow's
/// "same" padding, a zero at the end only.
fn dense_block(
    graph: &mut GraphBuilder,
    loader: &Loader,
    index: usize,
    x: FeatureMap,
) -> Result<FeatureMap, ModelError> {
    let (inputs, outputs) = (CHANNELS[index], CHANNELS[index + 1]);
    let name = |conv: usize| format!("dense{index}.conv{conv}");
    let mut sum = if index == 0 {
        let mean = MEAN.map(|value| -value / 255.0).to_vec();
        let centred = Prologue { affine: Some((vec![1.0; inputs], mean)), relu: false };
        let first = loader.convolution(&name(0), [outputs, inputs, 3])?.with_prologue(centred);
        graph.convolution(x, first.with_stride(2, (0, 1)).with_activation(Activation::Relu))
    } else {
        let [depthwise, pointwise] = loader.separable(&name(0), inputs, outputs)?;
        let halved = graph.convolution(x, depthwise.with_stride(2, (0, 1)));
        graph.convolution(halved, pointwise.with_activation(Activation::Relu))
    };
    for conv in 1..4 {
        let [depthwise, pointwise] = loader.separable(&name(conv), outputs, outputs)?;
        let filtered = graph.convolution(sum, depthwise.with_prologue(Prologue { affine: None, relu: conv > 1 }));
        let last = if conv == 3 { Activation::Relu } else { Activation::None };
        sum = graph.convolution_add(filtered, pointwise.with_activation(last), sum);
    }
    Ok(sum)
}
