//! Networks as data: a list of passes over square maps, built once from weights and run by [`super::cpu`] or, on burn,
//! by `super::burn`. Whatever can be folded is folded by who builds it; here nothing is learned and nothing branches.

/// A value between passes: `side`×`side` pixels of `channels` values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map {
    pub(super) index: usize,
    /// Pixels on each side.
    pub side: usize,
    /// Values of a pixel.
    pub channels: usize,
}

impl Map {
    /// How many values it has.
    pub fn volume(&self) -> usize {
        self.side * self.side * self.channels
    }
}

/// What happens to a value on the way out of a convolution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// Nothing.
    None,
    /// What is negative becomes zero.
    Relu,
    /// What is negative is multiplied by this.
    LeakyRelu(f32),
}

/// What happens to the pixels that a convolution reads, before they are padded with zeros.
#[derive(Clone, Debug, Default)]
pub struct Prologue {
    /// A scale and a shift for each channel, or none.
    pub affine: Option<(Vec<f32>, Vec<f32>)>,
    /// Then, whether what is negative becomes zero.
    pub relu: bool,
}

impl Prologue {
    /// Whether it changes anything.
    pub fn is_some(&self) -> bool {
        self.relu || self.affine.is_some()
    }
}

/// A convolution with what is fused to it.
#[derive(Clone, Debug)]
pub struct Convolution {
    /// `[outputs, inputs, size, size]`; `[outputs, 1, size, size]` if depthwise.
    pub weight: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
    /// How many channels it makes.
    pub outputs: usize,
    /// Pixels on each side of the filter.
    pub size: usize,
    /// Pixels between two places of the filter.
    pub stride: usize,
    /// Zeros at the beginning and at the end of both axes.
    pub padding: (usize, usize),
    /// Whether each channel has a filter of its own and sees nothing of the others.
    pub depthwise: bool,
    /// Before the convolution.
    pub prologue: Prologue,
    /// After it.
    pub activation: Activation,
}

impl Convolution {
    /// Stride 1, padded so that the size stays.
    pub fn new(weight: Vec<f32>, bias: Vec<f32>, size: usize) -> Self {
        let outputs = bias.len();
        let padding = (size / 2, size / 2);
        let (prologue, activation) = (Prologue::default(), Activation::None);
        Self { weight, bias, outputs, size, stride: 1, padding, depthwise: false, prologue, activation }
    }

    /// Each channel by itself.
    pub fn depthwise(self) -> Self {
        Self { depthwise: true, ..self }
    }

    /// With another stride and padding.
    pub fn strided(self, stride: usize, padding: (usize, usize)) -> Self {
        Self { stride, padding, ..self }
    }

    /// After `prologue`.
    pub fn after(self, prologue: Prologue) -> Self {
        Self { prologue, ..self }
    }

    /// Followed by `activation`.
    pub fn then(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }
}

/// One step.
#[derive(Clone, Debug)]
pub enum Pass {
    /// `output = activation(convolution(prologue(input)) + add)`.
    Convolution {
        /// Which of the network's convolutions.
        convolution: usize,
        /// What it reads.
        input: Map,
        /// What is added to its result.
        add: Option<Map>,
        /// What it makes.
        output: Map,
    },
    /// The channels of `parts` side by side, and `add` added.
    Join {
        /// In order.
        parts: Vec<Map>,
        /// What is added to them.
        add: Map,
        /// What it makes.
        output: Map,
    },
    /// Maxima of 2×2 pixels, `stride` apart; beyond the end nothing counts.
    MaxPool {
        /// What it reads.
        input: Map,
        /// 2 halves the map, 1 keeps its size.
        stride: usize,
        /// What it makes.
        output: Map,
    },
    /// `high`, and each pixel of `low` added to 2×2 of it.
    AddUpsampled {
        /// Half as large as the others.
        low: Map,
        /// What it is added to.
        high: Map,
        /// What it makes.
        output: Map,
    },
    /// `add + gated · gate`, with one value of `gate` for all channels of a pixel.
    AddGated {
        /// What is gated.
        gated: Map,
        /// One channel.
        gate: Map,
        /// What it is added to.
        add: Map,
        /// What it makes.
        output: Map,
    },
    /// The mean over all pixels.
    Mean {
        /// What it reads.
        input: Map,
        /// One pixel.
        output: Map,
    },
}

impl Pass {
    /// What it reads.
    pub fn inputs(&self) -> Vec<Map> {
        match self {
            Self::Convolution { input, add, .. } => std::iter::once(*input).chain(*add).collect(),
            Self::Join { parts, add, .. } => parts.iter().copied().chain([*add]).collect(),
            Self::MaxPool { input, .. } | Self::Mean { input, .. } => vec![*input],
            Self::AddUpsampled { low, high, .. } => vec![*low, *high],
            Self::AddGated { gated, gate, add, .. } => vec![*gated, *gate, *add],
        }
    }

    /// What it makes.
    pub fn output(&self) -> Map {
        match self {
            Self::Convolution { output, .. }
            | Self::Join { output, .. }
            | Self::MaxPool { output, .. }
            | Self::AddUpsampled { output, .. }
            | Self::AddGated { output, .. }
            | Self::Mean { output, .. } => *output,
        }
    }
}

/// A network from one map to some of the others.
#[derive(Clone, Debug)]
pub struct Network {
    /// What it reads.
    pub input: Map,
    /// What is read off it at the end.
    pub outputs: Vec<Map>,
    pub(super) maps: Vec<Map>,
    pub(super) passes: Vec<Pass>,
    pub(super) convolutions: Vec<Convolution>,
}

impl Network {
    /// Begins a network that reads images of `side`×`side` pixels.
    pub fn new(side: usize, channels: usize) -> Self {
        let input = Map { index: 0, side, channels };
        Self { input, outputs: Vec::new(), maps: vec![input], passes: Vec::new(), convolutions: Vec::new() }
    }

    fn map(&mut self, side: usize, channels: usize) -> Map {
        let map = Map { index: self.maps.len(), side, channels };
        self.maps.push(map);
        map
    }

    /// Appends a convolution.
    pub fn convolve(&mut self, input: Map, convolution: Convolution) -> Map {
        self.convolve_onto(input, convolution, None)
    }

    /// Appends a convolution to whose result `add` is added.
    pub fn convolve_onto(&mut self, input: Map, convolution: Convolution, add: Option<Map>) -> Map {
        let Convolution { outputs, size, stride, padding, depthwise, .. } = convolution;
        let filter = if depthwise { 1 } else { input.channels } * size * size;
        assert_eq!(convolution.weight.len(), outputs * filter, "weights fit the map that they read");
        let affine = convolution.prologue.affine.is_some();
        assert!(!depthwise || (outputs == input.channels && !affine && add.is_none()), "depthwise is not fused so far");
        let output = self.map((input.side + padding.0 + padding.1 - size) / stride + 1, outputs);
        assert!(add.is_none_or(|add| (add.side, add.channels) == (output.side, outputs)), "maps of one size are added");
        self.convolutions.push(convolution);
        self.passes.push(Pass::Convolution { convolution: self.convolutions.len() - 1, input, add, output });
        output
    }

    /// Appends [`Pass::Join`].
    pub fn join(&mut self, parts: Vec<Map>, add: Map) -> Map {
        let output = self.map(add.side, add.channels);
        self.passes.push(Pass::Join { parts, add, output });
        output
    }

    /// Appends [`Pass::MaxPool`]; a halved odd side is rounded up.
    pub fn max_pool(&mut self, input: Map, stride: usize) -> Map {
        let output = self.map(input.side.div_ceil(stride), input.channels);
        self.passes.push(Pass::MaxPool { input, stride, output });
        output
    }

    /// Appends [`Pass::AddUpsampled`].
    pub fn add_upsampled(&mut self, low: Map, high: Map) -> Map {
        let output = self.map(high.side, high.channels);
        self.passes.push(Pass::AddUpsampled { low, high, output });
        output
    }

    /// Appends [`Pass::AddGated`].
    pub fn add_gated(&mut self, gated: Map, gate: Map, add: Map) -> Map {
        let output = self.map(add.side, add.channels);
        self.passes.push(Pass::AddGated { gated, gate, add, output });
        output
    }

    /// Appends [`Pass::Mean`].
    pub fn mean(&mut self, input: Map) -> Map {
        let output = self.map(1, input.channels);
        self.passes.push(Pass::Mean { input, output });
        output
    }

    /// For each map the index of the last pass that reads it; of outputs, a larger one than any pass has.
    pub(super) fn last_uses(&self) -> Vec<usize> {
        let mut last_uses = vec![0; self.maps.len()];
        for (step, pass) in self.passes.iter().enumerate() {
            pass.inputs().iter().for_each(|map| last_uses[map.index] = step);
        }
        self.outputs.iter().for_each(|map| last_uses[map.index] = self.passes.len());
        last_uses
    }
}
