//! EmoNet's convolution block and hourglass.

use burn::tensor::{
    Tensor,
    module::interpolate,
    ops::{InterpolateMode, InterpolateOptions},
};

use super::fold::norm;
use crate::model::{
    ModelError,
    layers::{Affine, Conv, Loader, halve},
};

/// Three 3×3 convolutions, each after a batch norm and a ReLU; their results side by side are added to the input.
/// Convolutions read only what the norm and the ReLU leave, so nothing here can be folded.
pub(super) struct Block {
    stages: [(Affine, Conv); 3],
    /// Brings the input to as many channels as the output has.
    shortcut: Option<(Affine, Conv)>,
}

impl Block {
    pub fn load(loader: &Loader, name: &str, inputs: usize, outputs: usize) -> Result<Self, ModelError> {
        let stage = |bn: &str, conv: &str, inputs, outputs, size: usize| {
            let weight = loader.tensor(&format!("{name}.{conv}.weight"), [outputs, inputs, size, size])?;
            let conv = Conv::new(weight, None).with_padding(size / 2, size / 2);
            Ok::<_, ModelError>((norm(loader, &format!("{name}.{bn}"), inputs)?.affine(loader), conv))
        };
        let shortcut = (inputs != outputs).then(|| stage("downsample.0", "downsample.2", inputs, outputs, 1));
        Ok(Self {
            stages: [
                stage("bn1", "conv1", inputs, outputs / 2, 3)?,
                stage("bn2", "conv2", outputs / 2, outputs / 4, 3)?,
                stage("bn3", "conv3", outputs / 4, outputs / 4, 3)?,
            ],
            shortcut: shortcut.transpose()?,
        })
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let run = |(affine, conv): &(Affine, Conv), x| conv.forward(affine.forward_relu(x));
        let a = run(&self.stages[0], x.clone());
        let b = run(&self.stages[1], a.clone());
        let c = run(&self.stages[2], b.clone());
        let x = match &self.shortcut {
            Some(shortcut) => run(shortcut, x),
            None => x,
        };
        Tensor::cat(vec![a, b, c], 1) + x
    }
}

/// Looks at its input as it is and, through another hourglass, at half its size.
pub(super) struct Hourglass {
    upper: Block,
    before: Block,
    inner: Inner,
    after: Block,
}

#[allow(clippy::large_enum_variant)]
enum Inner {
    Hourglass(Box<Hourglass>),
    Block(Block),
}

impl Hourglass {
    pub fn load(loader: &Loader, name: &str, level: usize, width: usize) -> Result<Self, ModelError> {
        let block = |role: &str| Block::load(loader, &format!("{name}.{role}_{level}"), width, width);
        Ok(Self {
            upper: block("b1")?,
            before: block("b2")?,
            inner: if level > 1 {
                Inner::Hourglass(Box::new(Self::load(loader, name, level - 1, width)?))
            } else {
                Inner::Block(block("b2_plus")?)
            },
            after: block("b3")?,
        })
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let low = self.before.forward(halve(x.clone()));
        let low = match &self.inner {
            Inner::Hourglass(hourglass) => hourglass.forward(low),
            Inner::Block(block) => block.forward(low),
        };
        let low = self.after.forward(low);
        let twice = InterpolateOptions::new(InterpolateMode::Nearest).with_scale_factor([2.0, 2.0]);
        self.upper.forward(x) + interpolate(low, twice)
    }
}
