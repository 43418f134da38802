//! Backward through time of the batch that a [`Workspace`] ran forward last.

use super::kernels;
use super::{FEATURES, GATES, HIDDEN, Parameters, Vfer, Workspace};
use crate::emotion::EMOTIONS;
use crate::model::gemm::{Accumulate, RowMajor, Transposed, gemm};
use crate::simd::{Operation, Simd, dispatch};

/// Rows of the gates' gradients that are worked on at a time.
const ROWS: usize = 256;

impl Workspace {
    /// Gradients of all parameters, given those of the logits that [`Workspace::forward`] returned, in its order.
    /// `gradient` is overwritten.
    pub fn backward(&mut self, vfer: &Vfer, logit_gradients: &[[f32; EMOTIONS]], gradient: &mut Parameters) {
        dispatch!(self.isa, simd => {
            simd.call(Backward { simd, workspace: self, vfer, logit_gradients, gradient });
        });
    }

    /// The head's gradients of the clips whose last frame is at `step`.
    #[cfg_attr(target_arch = "x86_64", inline(always))]
    fn add_head_gradients(
        &mut self,
        step: usize,
        vfer: &Vfer,
        logit_gradients: &[[f32; EMOTIONS]],
        gradient: &mut Parameters,
    ) {
        for position in 0..self.offsets[step + 1] - self.offsets[step] {
            if self.lengths[position] != step + 1 {
                continue;
            }
            let row = (self.offsets[step] + position) * HIDDEN;
            let hidden = &self.hidden[row..row + HIDDEN];
            let into = &mut self.hidden_gradient[position * HIDDEN..(position + 1) * HIDDEN];
            for (emotion, &from) in logit_gradients[self.order[position]].iter().enumerate() {
                gradient.head_bias[emotion] += from;
                let weights = emotion * HIDDEN..(emotion + 1) * HIDDEN;
                let head = vfer.parameters.head[weights.clone()].iter();
                let sums = gradient.head[weights].iter_mut();
                for (((into, weight), sum), value) in into.iter_mut().zip(head).zip(sums).zip(hidden) {
                    *into += from * weight;
                    *sum += from * value;
                }
            }
        }
    }

    /// From the gradients of a step's hidden and cell states to those of its gates' sums.
    #[cfg_attr(target_arch = "x86_64", inline(always))]
    fn backpropagate_gates(&mut self, step: usize) {
        let (start, end) = (self.offsets[step], self.offsets[step + 1]);
        for position in 0..end - start {
            let row = start + position;
            let gates = &self.gates[row * GATES..(row + 1) * GATES];
            let out = &mut self.gate_gradients[row * GATES..(row + 1) * GATES];
            let cell_tanh = &self.cell_tanh[row * HIDDEN..(row + 1) * HIDDEN];
            let before = (step > 0).then(|| (self.offsets[step - 1] + position) * HIDDEN);
            let cell_before = before.map_or(&[0.0; HIDDEN][..], |before| &self.cells[before..before + HIDDEN]);
            let hidden_gradient = &self.hidden_gradient[position * HIDDEN..(position + 1) * HIDDEN];
            let cell_gradient = &mut self.cell_gradient[position * HIDDEN..(position + 1) * HIDDEN];

            let (input, rest) = gates.split_at(HIDDEN);
            let (forget, rest) = rest.split_at(HIDDEN);
            let (candidate, output) = rest.split_at(HIDDEN);
            let (d_input, rest) = out.split_at_mut(HIDDEN);
            let (d_forget, rest) = rest.split_at_mut(HIDDEN);
            let (d_candidate, d_output) = rest.split_at_mut(HIDDEN);
            for i in 0..HIDDEN {
                let d_hidden = hidden_gradient[i];
                let d_cell = cell_gradient[i] + d_hidden * output[i] * (1.0 - cell_tanh[i] * cell_tanh[i]);
                d_input[i] = d_cell * candidate[i] * input[i] * (1.0 - input[i]);
                d_forget[i] = d_cell * cell_before[i] * forget[i] * (1.0 - forget[i]);
                d_candidate[i] = d_cell * input[i] * (1.0 - candidate[i] * candidate[i]);
                d_output[i] = d_hidden * cell_tanh[i] * output[i] * (1.0 - output[i]);
                cell_gradient[i] = d_cell * forget[i];
            }
        }
    }

    /// Through the recurrence to the hidden state of the step before.
    #[cfg_attr(target_arch = "x86_64", inline(always))]
    fn backpropagate_recurrence<S: Simd>(&mut self, simd: S, step: usize) {
        let (start, end) = (self.offsets[step], self.offsets[step + 1]);
        let into = &mut self.hidden_gradient[..(end - start) * HIDDEN];
        into.fill(0.0);
        let sums = RowMajor { values: &self.gate_gradients[start * GATES..end * GATES], k: GATES };
        gemm(simd, sums, self.packed.panels(simd), Accumulate, into, HIDDEN);
    }

    /// The hidden state before each row, zeros before the first step's.
    #[cfg_attr(target_arch = "x86_64", inline(always))]
    fn gather_hidden_before(&mut self) {
        self.hidden_before.clear();
        self.hidden_before.resize(self.order.len() * HIDDEN, 0.0);
        for step in 1..self.offsets.len() - 1 {
            let count = self.offsets[step + 1] - self.offsets[step];
            let before = self.offsets[step - 1];
            self.hidden_before.extend_from_slice(&self.hidden[before * HIDDEN..(before + count) * HIDDEN]);
        }
    }

    /// The gradients of both matrices, some rows at a time, so that all factors stay in the cache.
    #[cfg_attr(target_arch = "x86_64", inline(always))]
    fn matrix_gradients<S: Simd>(&mut self, simd: S, gradient: &mut Parameters) {
        self.gather_hidden_before();
        let inputs = self.inputs.chunks(ROWS * FEATURES).zip(self.hidden_before.chunks(ROWS * HIDDEN));
        for (sums, (inputs, hidden)) in self.gate_gradients.chunks(ROWS * GATES).zip(inputs) {
            self.packed.fill(simd, sums, GATES);
            let (inputs, hidden) =
                (Transposed { values: inputs, m: FEATURES }, Transposed { values: hidden, m: HIDDEN });
            gemm(simd, inputs, self.packed.panels(simd), Accumulate, &mut gradient.input, GATES);
            gemm(simd, hidden, self.packed.panels(simd), Accumulate, &mut gradient.recurrent, GATES);
        }
    }
}

/// [`Workspace::backward`].
struct Backward<'a, S> {
    simd: S,
    workspace: &'a mut Workspace,
    vfer: &'a Vfer,
    logit_gradients: &'a [[f32; EMOTIONS]],
    gradient: &'a mut Parameters,
}

impl<S: Simd> Operation for Backward<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { simd, workspace, vfer, logit_gradients, gradient } = self;
        gradient.slices_mut().into_iter().for_each(|slice| slice.fill(0.0));
        let rows = workspace.hidden.len() / HIDDEN;
        // All of it is written below.
        workspace.gate_gradients.resize(rows * GATES, 0.0);
        for buffer in [&mut workspace.hidden_gradient, &mut workspace.cell_gradient] {
            buffer.clear();
            buffer.resize(workspace.order.len() * HIDDEN, 0.0);
        }
        workspace.recurrent_transposed.resize(GATES * HIDDEN, 0.0);
        kernels::transpose(&vfer.parameters.recurrent, GATES, &mut workspace.recurrent_transposed);
        workspace.packed.fill(simd, &workspace.recurrent_transposed, HIDDEN);

        for step in (0..workspace.offsets.len() - 1).rev() {
            workspace.add_head_gradients(step, vfer, logit_gradients, gradient);
            workspace.backpropagate_gates(step);
            if step > 0 {
                workspace.backpropagate_recurrence(simd, step);
            }
        }

        workspace.matrix_gradients(simd, gradient);
        for row in workspace.gate_gradients.as_chunks::<GATES>().0 {
            gradient.input_bias.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        gradient.recurrent_bias.copy_from_slice(&gradient.input_bias);
    }
}
