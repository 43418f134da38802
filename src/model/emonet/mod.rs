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

use burn::tensor::{Device, Tensor, activation::relu};

use super::{
    ModelError,
    layers::{Conv, Linear, Loader, halve},
};
use crate::weights::Weights;
use blocks::{Block, Hourglass};
pub use config::Config;
use fold::{Map, norm};

/// The expressions, in the order of the logits of the published model with 8.
pub const EXPRESSIONS: [&str; 8] = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"];

/// How many landmarks the hourglasses were trained to find.
const LANDMARKS: usize = 68;

/// EmoNet with its image head.
pub struct EmoNet {
    config: Config,
    stem: Conv,
    early: [Block; 3],
    stacks: Vec<Stack>,
    attention: Conv,
    ungated: Conv,
    emotion: Vec<Block>,
    hidden: Linear,
    output: Linear,
}

/// An hourglass and how its result goes on.
struct Stack {
    hourglass: Hourglass,
    top: Block,
    last: Conv,
    /// What the next hourglass's input gains; absent in the last stack.
    onward: Option<Conv>,
    /// To the emotion branch, before the attention gates it.
    gated: Conv,
}

/// What the network sees in images.
pub struct Output {
    /// After the last average: `[batch, width]`.
    pub features: Tensor<2>,
    /// Sum of the landmark heat maps: `[batch, 1, input / 4, input / 4]`.
    pub attention: Tensor<4>,
}

/// The tensors of `weights` that an EmoNet reads, under their published names.
///
/// # Errors
/// As [`EmoNet::load`].
pub fn used_tensors(weights: &Weights, device: &Device) -> Result<Weights, ModelError> {
    let loader = loader(weights, device)?;
    EmoNet::read(&loader)?;
    loader.used()
}

/// Names in files that were trained on several cards start with `module.`.
fn loader<'a>(weights: &'a Weights, device: &'a Device) -> Result<Loader<'a>, ModelError> {
    let loader = Loader::new(weights, device)?;
    let prefixed = loader.shape("conv1.weight").is_none() && loader.shape("module.conv1.weight").is_some();
    Ok(if prefixed { loader.with_prefix("module.") } else { loader })
}

impl EmoNet {
    /// Reads a state dict of any size. Names may carry the prefix `module.`; tensors that the network does not
    /// have are passed over.
    ///
    /// # Errors
    /// A tensor is missing, misshapen or not finite.
    pub fn load(weights: &Weights, device: &Device) -> Result<Self, ModelError> {
        Self::read(&loader(weights, device)?)
    }

    fn read(loader: &Loader) -> Result<Self, ModelError> {
        let config = Config::infer(loader)?;
        let w = config.width;

        let stem = fold::conv_norm(loader, "conv1", "bn1", [w / 4, 3, 7, 7])?.with_stride(2).with_padding(3, 3);
        let early = [
            Block::load(loader, "conv2", w / 4, w / 2)?,
            Block::load(loader, "conv3", w / 2, w / 2)?,
            Block::load(loader, "conv4", w / 2, w)?,
        ];
        let entry = Map::load(loader, "conv1x1_input_emo_2", w * (config.modules + 1), w)?;
        let stacks = (0..config.modules)
            .map(|index| Stack::load(loader, &config, index, &entry.columns(w * (index + 1), w)))
            .collect::<Result<_, _>>()?;
        let heatmaps = Map::load(loader, &format!("l{}", config.modules - 1), w, LANDMARKS)?;
        let emotion = (0..config.blocks)
            .map(|index| Block::load(loader, &format!("emo_net_2.{}", 2 * index), w, w))
            .collect::<Result<_, _>>()?;
        let hidden = Map::load(loader, "emo_fc_2.0", w, w / 2)?.then_affine(&norm(loader, "emo_fc_2.1", w / 2)?);
        let output = Map::load(loader, "emo_fc_2.3", w / 2, config.expressions + 2)?;
        Ok(Self {
            config,
            stem,
            early,
            stacks,
            attention: heatmaps.sum_of_outputs().conv(loader),
            ungated: entry.columns(0, w).with_bias_of(&entry).conv(loader),
            emotion,
            hidden: hidden.linear(loader),
            output: output.linear(loader),
        })
    }

    /// The network's size.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// `images` `[batch, 3, input, input]`, RGB in [0, 1].
    pub fn forward(&self, images: Tensor<4>) -> Output {
        let x = relu(self.stem.forward(images));
        let x = halve(self.early[0].forward(x));
        let x = self.early[2].forward(self.early[1].forward(x));

        let mut previous = x.clone();
        let mut gated: Option<Tensor<4>> = None;
        let mut last = x.clone();
        for stack in &self.stacks {
            last = relu(stack.last.forward(stack.top.forward(stack.hourglass.forward(previous.clone()))));
            let part = stack.gated.forward(last.clone());
            gated = Some(match gated {
                Some(sum) => sum + part,
                None => part,
            });
            if let Some(onward) = &stack.onward {
                previous = previous + onward.forward(last.clone());
            }
        }
        let attention = self.attention.forward(last);
        let mut y = self.ungated.forward(x);
        if let Some(gated) = gated {
            y = y + gated * attention.clone();
        }
        for block in &self.emotion {
            y = halve(block.forward(y));
        }
        Output { features: y.flatten::<3>(2, 3).mean_dim(2).flatten(1, 2), attention }
    }

    /// The head `emo_fc_2`: features `[batch, width]` to `[batch, expressions + 2]`, the logits of the expressions,
    /// then valence and arousal.
    pub fn head(&self, features: Tensor<2>) -> Tensor<2> {
        self.output.forward(relu(self.hidden.forward(features)))
    }
}

impl Stack {
    /// `entry` is the part of `conv1x1_input_emo_2` that reads this stack.
    fn load(loader: &Loader, config: &Config, index: usize, entry: &Map) -> Result<Self, ModelError> {
        let w = config.width;
        let (onward, gated) = if index + 1 < config.modules {
            let direct = Map::load(loader, &format!("bl{index}"), w, w)?;
            let heatmaps = Map::load(loader, &format!("l{index}"), w, LANDMARKS)?;
            let around = heatmaps.then(&Map::load(loader, &format!("al{index}"), LANDMARKS, w)?);
            (Some(direct.plus(&around).conv(loader)), direct.then(entry))
        } else {
            (None, entry.clone())
        };
        Ok(Self {
            hourglass: Hourglass::load(loader, &format!("m{index}"), config.depth, w)?,
            top: Block::load(loader, &format!("top_m_{index}"), w, w)?,
            last: fold::conv_norm(loader, &format!("conv_last{index}"), &format!("bn_end{index}"), [w, w, 1, 1])?,
            onward,
            gated: gated.conv(loader),
        })
    }
}
