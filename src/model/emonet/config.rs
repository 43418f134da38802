//! The size of an EmoNet, read off its tensors.

use crate::{
    model::{ModelError, layers::Loader},
    weights::WeightsError,
};

/// The size of an EmoNet. The published one: 256 wide, 2 modules of depth 4, 4 blocks, 8 or 5 expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Channels of the hourglasses, and features.
    pub width: usize,
    /// Stacked hourglasses.
    pub modules: usize,
    /// Levels of an hourglass.
    pub depth: usize,
    /// Blocks of the emotion branch; each halves the map.
    pub blocks: usize,
    /// Expressions that the head tells apart.
    pub expressions: usize,
}

impl Config {
    /// Pixels on each side of the input. The stem quarters it and each level of an hourglass halves it; the
    /// innermost map has 4×4 pixels.
    pub fn input(&self) -> usize {
        16 << self.depth
    }

    pub(super) fn infer(loader: &Loader) -> Result<Self, ModelError> {
        let first =
            |name: &str| loader.shape(name).and_then(|shape| shape.first().copied()).ok_or_else(|| missing(name));
        let count =
            |name: &dyn Fn(usize) -> String| (0..).take_while(|&index| loader.shape(&name(index)).is_some()).count();
        let outputs = first("emo_fc_2.3.weight")?;
        let config = Self {
            width: 4 * first("conv1.weight")?,
            modules: count(&|index| format!("conv_last{index}.weight")),
            depth: count(&|index| format!("m0.b1_{}.bn1.weight", index + 1)),
            blocks: count(&|index| format!("emo_net_2.{}.bn1.weight", 2 * index)),
            expressions: outputs.saturating_sub(2),
        };
        // Each block halves a map that starts with a quarter of the input's side.
        let deepest = (config.input() / 4).ilog2() as usize;
        if config.modules == 0 {
            Err(missing("conv_last0.weight"))
        } else if config.depth == 0 {
            Err(missing("m0.b1_1.bn1.weight"))
        } else if config.blocks == 0 {
            Err(missing("emo_net_2.0.bn1.weight"))
        } else if config.blocks > deepest {
            let name = format!("emo_net_2.{}.bn1.weight", 2 * deepest);
            Err(WeightsError::Unexpected { name }.into())
        } else if config.expressions == 0 {
            let name = "emo_fc_2.3.weight".to_owned();
            Err(WeightsError::Shape { name, expected: vec![10, config.width / 2], found: vec![outputs] }.into())
        } else {
            Ok(config)
        }
    }
}

fn missing(name: &str) -> ModelError {
    WeightsError::Missing { name: name.to_owned() }.into()
}
