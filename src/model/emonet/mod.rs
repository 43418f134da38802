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
use super::loader::Loader;
use super::network::{Activation, Map as Pixels, Network};
use crate::weights::Weights;
use blocks::{block, hourglass};
pub use config::Config;
use fold::{Map, norm};

/// The expressions, in the order of the logits of the published model with 8.
pub const EXPRESSIONS: [&str; 8] = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"];

/// How many landmarks the hourglasses were trained to find.
const LANDMARKS: usize = 68;

/// EmoNet, folded.
pub struct EmoNet {
    /// Its size.
    pub config: Config,
    /// From images, RGB in [0, 1], to the features, one pixel of `config.width` channels.
    pub extractor: Network,
    /// The sum of the landmark heat maps, an inner value of the extractor with one channel.
    pub attention: Pixels,
    /// The head `emo_fc_2`, from the features to the logits of the expressions, then valence and arousal.
    pub head: Network,
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
        let mut network = Network::new(config.input(), 3);

        let stem = fold::conv_norm(loader, "conv1", "bn1", [w / 4, 3, 7, 7])?;
        let x = network.convolve(network.input, stem.strided(2, (3, 3)).then(Activation::Relu));
        let x = block(&mut network, loader, "conv2", x, w / 2)?;
        let x = network.max_pool(x, 2);
        let x = block(&mut network, loader, "conv3", x, w / 2)?;
        let x = block(&mut network, loader, "conv4", x, w)?;

        // What each stack sees, and what of it goes to the emotion branch once the attention has gated it.
        let entry = Map::load(loader, "conv1x1_input_emo_2", w * (config.modules + 1), w)?;
        let (mut previous, mut last, mut gated) = (x, x, None);
        for index in 0..config.modules {
            let part = |name: &str| format!("{name}{index}");
            let seen = hourglass(&mut network, loader, &part("m"), config.depth, previous)?;
            let seen = block(&mut network, loader, &part("top_m_"), seen, w)?;
            let end = fold::conv_norm(loader, &part("conv_last"), &part("bn_end"), [w, w, 1, 1])?;
            last = network.convolve(seen, end.then(Activation::Relu));
            let mut entry = entry.columns(w * (index + 1), w);
            if index + 1 < config.modules {
                let direct = Map::load(loader, &part("bl"), w, w)?;
                let heatmaps = Map::load(loader, &part("l"), w, LANDMARKS)?;
                let around = heatmaps.then(&Map::load(loader, &part("al"), LANDMARKS, w)?);
                entry = direct.then(&entry);
                previous = network.convolve_onto(last, direct.plus(&around).convolution(), previous);
            }
            gated = Some(network.convolve_onto(last, entry.convolution(), gated));
        }
        let heatmaps = Map::load(loader, &format!("l{}", config.modules - 1), w, LANDMARKS)?;
        let attention = network.convolve(last, heatmaps.sum_of_outputs().convolution());
        let mut y = network.convolve(x, entry.columns(0, w).with_bias_of(&entry).convolution());
        if let Some(gated) = gated {
            y = network.add_gated(gated, attention, y);
        }
        for index in 0..config.blocks {
            y = block(&mut network, loader, &format!("emo_net_2.{}", 2 * index), y, w)?;
            y = network.max_pool(y, 2);
        }
        let features = network.mean(y);
        network.outputs = vec![features];

        let mut head = Network::new(1, w);
        let hidden = Map::load(loader, "emo_fc_2.0", w, w / 2)?.then_affine(&norm(loader, "emo_fc_2.1", w / 2)?);
        let output = Map::load(loader, "emo_fc_2.3", w / 2, config.expressions + 2)?;
        let hidden = head.convolve(head.input, hidden.convolution().then(Activation::Relu));
        head.outputs = vec![head.convolve(hidden, output.convolution())];
        Ok(Self { config, extractor: network, attention, head })
    }
}
