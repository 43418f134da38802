//! Networks as data: a list of passes over square maps, built once from weights and run by [`super::cpu`] or, on burn,
//! by `super::burn`. Whatever can be folded is folded by who builds it; here nothing is learned and nothing branches.

use std::mem::replace;

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

/// A second place for the result of a convolution: the sum of `add` and of several results side by side.
#[derive(Clone, Copy, Debug)]
pub struct Joint {
    /// What is added.
    pub add: Map,
    /// Where the result belongs among the channels.
    pub first: usize,
    /// As large as `add`.
    pub output: Map,
}

/// One step.
#[derive(Clone, Debug)]
pub enum Pass {
    /// `output = activation(convolution(prologue(input)) + add)`, and that into a part of `joint`.
    Convolution {
        /// Which of the network's convolutions.
        convolution: usize,
        /// What it reads.
        input: Map,
        /// What is added to its result.
        add: Option<Map>,
        /// What it makes.
        output: Map,
        /// Where else that goes.
        joint: Option<Joint>,
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
            Self::Convolution { input, add, joint, .. } => {
                [Some(*input), *add, joint.map(|joint| joint.add)].into_iter().flatten().collect()
            }
            Self::MaxPool { input, .. } | Self::Mean { input, .. } => vec![*input],
            Self::AddUpsampled { low, high, .. } => vec![*low, *high],
            Self::AddGated { gated, gate, add, .. } => vec![*gated, *gate, *add],
        }
    }

    /// What it makes, whatever else it writes to.
    pub fn output(&self) -> Map {
        match self {
            Self::Convolution { output, .. }
            | Self::MaxPool { output, .. }
            | Self::AddUpsampled { output, .. }
            | Self::AddGated { output, .. }
            | Self::Mean { output, .. } => *output,
        }
    }

    /// Where else its result goes.
    pub fn joint(&self) -> Option<Joint> {
        if let Self::Convolution { joint, .. } = self { *joint } else { None }
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
        self.append(input, convolution, None, None)
    }

    /// Appends a convolution to whose result `add` is added, if there is such a map.
    pub fn convolve_onto(&mut self, input: Map, convolution: Convolution, add: impl Into<Option<Map>>) -> Map {
        self.append(input, convolution, add.into(), None)
    }

    /// A map into which the next convolutions write their results side by side, with `add` added: see
    /// [`Self::convolve_into`].
    pub fn joint(&mut self, add: Map) -> Joint {
        Joint { add, first: 0, output: self.map(add.side, add.channels) }
    }

    /// Appends a convolution whose result goes into `joint` too, behind the channels that are there already.
    pub fn convolve_into(&mut self, joint: &mut Joint, input: Map, convolution: Convolution) -> Map {
        let output = self.append(input, convolution, None, Some(*joint));
        joint.first += output.channels;
        output
    }

    fn append(&mut self, input: Map, convolution: Convolution, add: Option<Map>, joint: Option<Joint>) -> Map {
        let Convolution { outputs, size, stride, padding, depthwise, .. } = convolution;
        let filter = if depthwise { 1 } else { input.channels } * size * size;
        assert_eq!(convolution.weight.len(), outputs * filter, "weights fit the map that they read");
        let is_fused = convolution.prologue.affine.is_some() || add.is_some() || joint.is_some();
        assert!(!depthwise || (outputs == input.channels && !is_fused), "depthwise is not fused so far");
        let output = self.map((input.side + padding.0 + padding.1 - size) / stride + 1, outputs);
        assert!(add.is_none_or(|add| (add.side, add.channels) == (output.side, outputs)), "maps of one size are added");
        if let Some(Joint { add, first, .. }) = joint {
            assert!(add.side == output.side && first + outputs <= add.channels, "the result fits where it goes");
        }
        self.convolutions.push(convolution);
        self.passes.push(Pass::Convolution { convolution: self.convolutions.len() - 1, input, add, output, joint });
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

    /// For each map the index of the last pass that reads it; of outputs, a larger one than any pass has; 0 if it is
    /// not read at all.
    pub(super) fn last_uses(&self) -> Vec<usize> {
        let mut last_uses = vec![0; self.maps.len()];
        for (step, pass) in self.passes.iter().enumerate() {
            pass.inputs().iter().for_each(|map| last_uses[map.index] = step);
        }
        self.outputs.iter().for_each(|map| last_uses[map.index] = self.passes.len());
        last_uses
    }

    /// Gives every map a buffer that nobody else needs at the time. `last_uses` are [`Self::last_uses`], or later ones for
    /// maps that are still read then.
    pub(super) fn plan_buffers(&self, last_uses: &[usize]) -> Plan {
        let mut plan = Plan { places: vec![0; self.maps.len()], sizes: vec![self.input.volume()] };
        let mut placed = vec![false; self.maps.len()];
        placed[self.input.index] = true;
        let mut free: Vec<usize> = Vec::new();
        for (step, pass) in self.passes.iter().enumerate() {
            let written = [Some(pass.output()), pass.joint().map(|joint| joint.output)];
            for map in written.into_iter().flatten() {
                if !replace(&mut placed[map.index], true) {
                    plan.places[map.index] = plan.take(&mut free, map.volume());
                }
            }
            // What nobody reads is not needed any more either.
            let finished = self.maps.iter().filter(|map| match last_uses[map.index] {
                0 => map.index == pass.output().index || (step == 0 && map.index == self.input.index),
                last => last == step && placed[map.index],
            });
            free.extend(finished.map(|map| plan.places[map.index]));
        }
        plan
    }
}

/// Which buffer holds each map, and how many values each buffer has.
pub(super) struct Plan {
    pub places: Vec<usize>,
    pub sizes: Vec<usize>,
}

impl Plan {
    /// A buffer of `volume`: the smallest free one that is large enough, else the largest, which then grows.
    fn take(&mut self, free: &mut Vec<usize>, volume: usize) -> usize {
        let fit = |&place: &usize| (self.sizes[place] < volume, self.sizes[place].abs_diff(volume));
        match free.iter().copied().min_by_key(fit) {
            Some(place) => {
                free.retain(|other| *other != place);
                self.sizes[place] = self.sizes[place].max(volume);
                place
            }
            None => {
                self.sizes.push(volume);
                self.sizes.len() - 1
            }
        }
    }
}
