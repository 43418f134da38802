//! Forward: of a batch of clips at once, and of one frame at a time.

use super::kernels;
use super::{FEATURES, GATES, HIDDEN, Parameters, Vfer};
use crate::emotion::EMOTIONS;
use crate::insertion_sort::insertion_sort;
use crate::model::gemm::{Accumulate, PackBuffer, RowMajor, gemm};
use crate::model::math::{sigmoid, softmax, tanh};
use crate::simd::{Isa, Operation, Simd, dispatch};

/// The LSTM's state between two frames of a clip.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    hidden: [f32; HIDDEN],
    cell: [f32; HIDDEN],
}

impl Stream {
    /// The hidden state.
    pub(super) fn into_hidden(self) -> [f32; HIDDEN] {
        self.hidden
    }
}

/// Buffers of a batch, kept from one to the next so that nothing is allocated once they have grown.
///
/// Clips are *packed*: sorted by length, longest first, and laid out time step by time step, so that the clips still
/// running at a step are a prefix and no padding is ever computed. Row `r` below is one frame of one clip.
#[derive(Debug, Default)]
pub struct Workspace {
    /// The instruction set that everything runs on.
    pub(super) isa: Isa,
    /// Clip indices, longest first.
    pub(super) order: Vec<usize>,
    /// Frames of each clip, in `order`.
    pub(super) lengths: Vec<usize>,
    /// First row of each time step, and after the last the number of rows.
    pub(super) offsets: Vec<usize>,
    /// `[rows, FEATURES]`.
    pub(super) inputs: Vec<f32>,
    /// `[rows, GATES]`: sums first, then the gates' values.
    pub(super) gates: Vec<f32>,
    /// `[rows, HIDDEN]`.
    pub(super) cells: Vec<f32>,
    /// `[rows, HIDDEN]`: tanh of `cells`.
    pub(super) cell_tanh: Vec<f32>,
    /// `[rows, HIDDEN]`.
    pub(super) hidden: Vec<f32>,
    /// Logits in the order of the caller.
    pub(super) logits: Vec<[f32; EMOTIONS]>,
    /// Buffers of the backward pass.
    pub(super) gate_gradients: Vec<f32>,
    pub(super) hidden_gradient: Vec<f32>,
    pub(super) cell_gradient: Vec<f32>,
    pub(super) recurrent_transposed: Vec<f32>,
    pub(super) hidden_before: Vec<f32>,
    /// The packed right operand of the product at hand.
    pub(super) packed: PackBuffer,
}

impl Workspace {
    /// One that runs on `isa`: for tests, and for comparisons. By default it is the best that there is.
    pub fn with_isa(isa: Isa) -> Self {
        Self { isa, ..Self::default() }
    }

    /// Runs `clips`, each `[frames, FEATURES]` with at least one frame; gives one row of logits a clip.
    pub fn forward(&mut self, vfer: &Vfer, clips: &[&[f32]]) -> &[[f32; EMOTIONS]] {
        self.pack(clips);
        dispatch!(self.isa, simd => simd.call(Forward { simd, workspace: self, vfer }));
        &self.logits
    }

    fn pack(&mut self, clips: &[&[f32]]) {
        let frames = |clip: usize| clips[clip].len() / FEATURES;
        self.order.clear();
        self.order.extend(0..clips.len());
        // Stable, so that equal lengths keep the caller's order and results do not depend on the platform.
        insertion_sort(&mut self.order, |&a, &b| frames(a) > frames(b));
        self.lengths.clear();
        self.lengths.extend(self.order.iter().map(|&clip| frames(clip)));
        assert!(self.lengths.last().is_none_or(|&shortest| shortest > 0), "a clip has no frames");
        self.offsets.clear();
        self.offsets.push(0);
        self.inputs.clear();
        for step in 0..self.lengths.first().copied().unwrap_or(0) {
            for (&clip, &length) in self.order.iter().zip(&self.lengths) {
                if step < length {
                    self.inputs.extend_from_slice(&clips[clip][step * FEATURES..(step + 1) * FEATURES]);
                }
            }
            self.offsets.push(self.inputs.len() / FEATURES);
        }
    }

    /// One time step of every clip that is still running.
    #[cfg_attr(target_arch = "x86_64", inline(always))]
    fn advance<S: Simd>(&mut self, simd: S, step: usize) {
        let (start, end) = (self.offsets[step], self.offsets[step + 1]);
        let count = end - start;
        let gates = &mut self.gates[start * GATES..end * GATES];
        if step > 0 {
            let before = self.offsets[step - 1];
            let hidden = &self.hidden[before * HIDDEN..(before + count) * HIDDEN];
            let hidden = RowMajor { values: hidden, k: HIDDEN };
            gemm(simd, hidden, self.packed.panels(simd), Accumulate, gates, GATES);
        }
        for (position, gates) in gates.as_chunks_mut::<GATES>().0.iter_mut().enumerate() {
            activate(gates);
            let row = (start + position) * HIDDEN;
            let (earlier, now) = self.cells.split_at_mut(row);
            let cell = &mut now[..HIDDEN];
            if step > 0 {
                let before = (self.offsets[step - 1] + position) * HIDDEN;
                cell.copy_from_slice(&earlier[before..before + HIDDEN]);
            }
            let cell_tanh = &mut self.cell_tanh[row..row + HIDDEN];
            update(gates, cell, cell_tanh, &mut self.hidden[row..row + HIDDEN]);
        }
    }
}

/// [`Workspace::forward`] of the clips that are packed.
struct Forward<'a, S> {
    simd: S,
    workspace: &'a mut Workspace,
    vfer: &'a Vfer,
}

impl<S: Simd> Operation for Forward<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { simd, workspace, vfer } = self;
        let rows = workspace.inputs.len() / FEATURES;
        let parameters = &vfer.parameters;
        let mut biases = [0.0; GATES];
        for (bias, (input, recurrent)) in
            biases.iter_mut().zip(parameters.input_bias.iter().zip(&parameters.recurrent_bias))
        {
            *bias = input + recurrent;
        }
        workspace.gates.resize(rows * GATES, 0.0);
        workspace.gates.as_chunks_mut().0.iter_mut().for_each(|row| *row = biases);
        // The input's part of all gates of all frames in one product.
        workspace.packed.fill(simd, &parameters.input, GATES);
        let inputs = RowMajor { values: &workspace.inputs, k: FEATURES };
        gemm(simd, inputs, workspace.packed.panels(simd), Accumulate, &mut workspace.gates, GATES);
        for buffer in [&mut workspace.cells, &mut workspace.cell_tanh, &mut workspace.hidden] {
            buffer.resize(rows * HIDDEN, 0.0);
        }
        // The state before the first frame; all else is written below.
        workspace.cells[..workspace.offsets.get(1).map_or(0, |first| first * HIDDEN)].fill(0.0);
        workspace.packed.fill(simd, &parameters.recurrent, GATES);
        for step in 0..workspace.offsets.len() - 1 {
            workspace.advance(simd, step);
        }
        workspace.logits.clear();
        workspace.logits.resize(workspace.order.len(), [0.0; EMOTIONS]);
        for (position, &clip) in workspace.order.iter().enumerate() {
            let row = workspace.offsets[workspace.lengths[position] - 1] + position;
            let hidden = workspace.hidden[row * HIDDEN..].first_chunk().expect("every row is whole");
            workspace.logits[clip] = vfer.head(hidden);
        }
    }
}

/// [`Vfer::step`].
struct Step<'a, S> {
    simd: S,
    parameters: &'a Parameters,
    stream: &'a mut Stream,
    features: &'a [f32],
}

impl<S: Simd> Operation for Step<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { simd, parameters, stream, features } = self;
        let mut gates = [0.0; GATES];
        for (gate, biases) in gates.iter_mut().zip(parameters.input_bias.iter().zip(&parameters.recurrent_bias)) {
            *gate = biases.0 + biases.1;
        }
        kernels::add_row_product(simd, &mut gates, features, &parameters.input);
        kernels::add_row_product(simd, &mut gates, &stream.hidden, &parameters.recurrent);
        activate(&mut gates);
        let mut cell_tanh = [0.0; HIDDEN];
        update(&gates, &mut stream.cell, &mut cell_tanh, &mut stream.hidden);
    }
}

impl Vfer {
    /// The state before a clip's first frame.
    pub fn stream(&self) -> Stream {
        Stream { hidden: [0.0; HIDDEN], cell: [0.0; HIDDEN] }
    }

    /// Takes in one frame's `features`, `[FEATURES]`, and gives the probabilities of the clip so far.
    ///
    /// # Panics
    /// If there are not [`FEATURES`] features.
    pub fn step(&self, stream: &mut Stream, features: &[f32]) -> [f32; EMOTIONS] {
        assert_eq!(features.len(), FEATURES);
        let parameters = &self.parameters;
        dispatch!(Isa::best(), simd => simd.call(Step { simd, parameters, stream, features }));
        softmax(&self.head(&stream.hidden))
    }

    /// Logits of a hidden state, `[EMOTIONS]`.
    pub fn head(&self, hidden: &[f32; HIDDEN]) -> [f32; EMOTIONS] {
        let rows = self.parameters.head.as_chunks::<HIDDEN>().0;
        std::array::from_fn(|emotion| {
            let products = rows[emotion].iter().zip(hidden).map(|(weight, value)| weight * value);
            self.parameters.head_bias[emotion] + products.sum::<f32>()
        })
    }
}

/// Turns a row of sums into the four gates' values.
#[cfg_attr(target_arch = "x86_64", inline(always))]
fn activate(gates: &mut [f32; GATES]) {
    let (input_forget, cell_output) = gates.split_at_mut(2 * HIDDEN);
    let (cell, output) = cell_output.split_at_mut(HIDDEN);
    input_forget.iter_mut().for_each(|gate| *gate = sigmoid(*gate));
    cell.iter_mut().for_each(|gate| *gate = tanh(*gate));
    output.iter_mut().for_each(|gate| *gate = sigmoid(*gate));
}

/// `cell` holds the state before the frame and the state after it afterwards.
#[cfg_attr(target_arch = "x86_64", inline(always))]
fn update(gates: &[f32; GATES], cell: &mut [f32], cell_tanh: &mut [f32], hidden: &mut [f32]) {
    let (input, rest) = gates.split_at(HIDDEN);
    let (forget, rest) = rest.split_at(HIDDEN);
    let (candidate, output) = rest.split_at(HIDDEN);
    for i in 0..HIDDEN {
        cell[i] = forget[i] * cell[i] + input[i] * candidate[i];
        cell_tanh[i] = tanh(cell[i]);
        hidden[i] = output[i] * cell_tanh[i];
    }
}
