//! The size of an EmoNet, read off its tensors.

use crate::{
    model::{ModelError, loader::Loader},
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

/// Far more than anybody stacked.
const MOST_MODULES: usize = 16;

/// Far more than there are halvings in a camera's picture.
const MOST_LEVELS: usize = 8;

impl Config {
    /// Height and width of the input, in pixels. The stem quarters it and each level of an hourglass halves it; the
    /// innermost map has 4×4 pixels.
    pub fn input_size(&self) -> usize {
        16 << self.depth
    }

    /// Counts parts by their highest number, so that a part without its first tensor is missed when it is loaded.
    pub(super) fn infer(loader: &Loader) -> Result<Self, ModelError> {
        let outputs = |name: &str| match loader.shape(name) {
            Some(shape) => Ok(shape.first().copied().unwrap_or(0)),
            None => Err(WeightsError::Missing { name: name.to_owned() }),
        };
        let highest = |prefix: &str, most: usize| {
            let number = |name: &str| name.strip_prefix(prefix)?.split('.').next()?.parse::<usize>().ok();
            match loader.names().filter_map(|name| Some((number(name)?, name))).max() {
                Some((highest, _)) if highest <= most => Ok(highest),
                Some((_, name)) => Err(WeightsError::Unexpected { name: name.to_owned() }),
                None => Err(WeightsError::Missing { name: format!("{prefix}…") }),
            }
        };
        let wrong_shape = |name: &str, expected: &[usize]| WeightsError::Shape {
            name: name.to_owned(),
            expected: expected.to_vec(),
            found: loader.shape(name).unwrap_or_default().to_vec(),
        };

        let width = 4 * outputs("conv1.weight")?;
        // The first block has half the width; its convolutions have a half, a quarter and a quarter of that, and
        // kernels take channels in fours.
        if width == 0 || !width.is_multiple_of(32) {
            return Err(wrong_shape("conv1.weight", &[64, 3, 7, 7]).into());
        }
        let expressions = outputs("emo_fc_2.3.weight")?.saturating_sub(2);
        if expressions == 0 {
            return Err(wrong_shape("emo_fc_2.3.weight", &[10, width / 2]).into());
        }
        let modules = highest("conv_last", MOST_MODULES - 1)? + 1;
        let depth = highest("m0.b1_", MOST_LEVELS)?;
        // Each block halves a map that starts with a quarter of the input's side; between two is a pooling.
        let blocks = highest("emo_net_2.", 2 * (depth + 2 - 1))? / 2 + 1;
        Ok(Self { width, modules, depth, blocks, expressions })
    }
}
