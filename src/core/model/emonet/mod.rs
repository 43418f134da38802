//! EmoNet (Toisoul et al., "Estimation of continuous valence and arousal levels from faces in naturalistic
//! conditions", Nature Machine Intelligence 2021): stacked hourglasses find face landmarks; their maps gate what an
//! emotion branch reads.
//!
//! Tensor names are those of the published state dict. What is linear and has no other reader is folded on loading;
//! the results are the same up to rounding:
//!
//! - batch norms that follow a convolution or a linear layer, into it;
//! - the sum over the last hourglass's 68 heat maps, into one convolution with one output, the attention;
//! - `bl` and `al` ∘ `l`, through which an hourglass feeds the next, into one 1×1 convolution;
//! - `bl` again, into the part of `conv1x1_input_emo_2` that reads it. The attention is one value per pixel, so it
//!   gates the result of that 1×1 convolution instead of its wider input.

mod blocks;
mod config;
mod fold;

use super::ModelError;
use super::graph::{Activation, FeatureMap, Graph, GraphBuilder, Shape};
use super::loader::Loader;
use crate::weights::Weights;
use blocks::{block, hourglass};
pub use config::Config;
use fold::{Linear, batch_norm};

/// The expressions, in the order of the logits of the published model with 8.
pub const EXPRESSIONS: [&str; 8] = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"];

/// How many landmarks the hourglasses were trained to find.
const LANDMARKS: usize = 68;

/// EmoNet, folded.
pub struct EmoNet {
    /// Its size.
    pub config: Config,
    /// From images, RGB in [0, 1], to the features, one pixel of `config.width` channels.
    pub extractor: Graph,
    /// The sum of the landmark heat maps, an inner value of the extractor with one channel.
    pub attention: FeatureMap,
    /// The head `emo_fc_2`, from the features to the logits of the expressions, then valence and arousal.
    pub head: Graph,
}

/// The tensors of `weights` that an EmoNet reads, under their published names.
///
/// # Errors
/// As [`EmoNet::load`].
pub fn used_tensors(weights: &Weights) -> Result<Weights, ModelError> {
    let loader = loader(weights)?;
    EmoNet::read(&loader)?;
    loader.used()
}

/// Names in files that were trained on several cards start with `module.`.
fn loader(weights: &Weights) -> Result<Loader<'_>, ModelError> {
    let loader = Loader::new(weights)?;
    let prefixed = loader.shape("conv1.weight").is_none() && loader.shape("module.conv1.weight").is_some();
    Ok(if prefixed { loader.with_prefix("module.") } else { loader })
}

impl EmoNet {
    /// Reads a state dict of any size. Names may carry the prefix `module.`; tensors that the network does not
    /// have are passed over.
    ///
    /// # Errors
    /// A tensor is missing, misshapen or not finite.
    pub fn load(weights: &Weights) -> Result<Self, ModelError> {
        Self::read(&loader(weights)?)
    }

    fn read(loader: &Loader) -> Result<Self, ModelError> {
        let config = Config::infer(loader)?;
        let w = config.width;
        let mut graph = GraphBuilder::new(Shape::square(config.input_size(), 3));

        let stem = fold::conv_norm(loader, "conv1", "bn1", [w / 4, 3, 7, 7])?;
        let x = graph.convolution(graph.input(), stem.with_stride(2, (3, 3)).with_activation(Activation::Relu));
        let x = block(&mut graph, loader, "conv2", x, w / 2)?;
        let x = graph.max_pool(x, 2);
        let x = block(&mut graph, loader, "conv3", x, w / 2)?;
        let x = block(&mut graph, loader, "conv4", x, w)?;

        // The features of each stack, and the part of the emotion branch that reads them, once gated by the attention.
        let entry = Linear::load(loader, "conv1x1_input_emo_2", w * (config.modules + 1), w)?;
        let (mut previous, mut last, mut gated) = (x, x, None);
        for index in 0..config.modules {
            let part = |name: &str| format!("{name}{index}");
            let seen = hourglass(&mut graph, loader, &part("m"), config.depth, previous)?;
            let seen = block(&mut graph, loader, &part("top_m_"), seen, w)?;
            let end = fold::conv_norm(loader, &part("conv_last"), &part("bn_end"), [w, w, 1, 1])?;
            last = graph.convolution(seen, end.with_activation(Activation::Relu));
            let mut entry = entry.input_slice(w * (index + 1), w);
            if index + 1 < config.modules {
                let direct = Linear::load(loader, &part("bl"), w, w)?;
                let heatmaps = Linear::load(loader, &part("l"), w, LANDMARKS)?;
                let around = heatmaps.then(&Linear::load(loader, &part("al"), LANDMARKS, w)?);
                entry = direct.then(&entry);
                previous = graph.convolution_add(last, direct.plus(&around).convolution(), previous);
            }
            gated = Some(graph.convolution_add(last, entry.convolution(), gated));
        }
        let heatmaps = Linear::load(loader, &format!("l{}", config.modules - 1), w, LANDMARKS)?;
        let attention = graph.convolution(last, heatmaps.sum_of_channels().convolution());
        let mut y = graph.convolution(x, entry.input_slice(0, w).with_bias_of(&entry).convolution());
        if let Some(gated) = gated {
            y = graph.multiply_add(gated, attention, y);
        }
        for index in 0..config.blocks {
            y = block(&mut graph, loader, &format!("emo_net_2.{}", 2 * index), y, w)?;
            y = graph.max_pool(y, 2);
        }
        let features = graph.global_average_pool(y);
        let extractor = graph.finish(&[features])?;

        let mut head = GraphBuilder::new(Shape::square(1, w));
        let hidden =
            Linear::load(loader, "emo_fc_2.0", w, w / 2)?.then_batch_norm(&batch_norm(loader, "emo_fc_2.1", w / 2)?);
        let output = Linear::load(loader, "emo_fc_2.3", w / 2, config.expressions + 2)?;
        let hidden = head.convolution(head.input(), hidden.convolution().with_activation(Activation::Relu));
        let output = head.convolution(hidden, output.convolution());
        Ok(Self { config, extractor, attention, head: head.finish(&[output])? })
    }
}
