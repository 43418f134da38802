//! One LSTM cell on a GPU, forward and backward, for both of the recurrence's kernels. Functions are inlined by CubeCL.
//!
//! With gates i, f, g, o behind their activations: c' = f c + i g and h = o tanh(c').

use burn::cubecl;
use burn::cubecl::prelude::*;

/// The four gates of one hidden state, or their gradients.
#[derive(CubeType)]
pub(super) struct Gates {
    pub input: f32,
    pub forget: f32,
    pub candidate: f32,
    pub output: f32,
}

/// What [`cell_backward`] computes.
#[derive(CubeType)]
pub(super) struct CellGradients {
    /// Of the gates' sums, before their activations.
    pub gates: Gates,
    /// Of the cell of the frame before.
    pub cell: f32,
}

/// Reads the gates of hidden state `state` of a row `[4, hidden_size]` that starts at `row`.
#[cube]
pub(super) fn load(gates: &[f32], row: usize, state: usize, #[comptime] hidden_size: usize) -> Gates {
    let at = row + state;
    Gates {
        input: gates[at],
        forget: gates[at + hidden_size],
        candidate: gates[at + 2 * hidden_size],
        output: gates[at + 3 * hidden_size],
    }
}

/// Writes what [`load`] reads.
#[cube]
pub(super) fn store(values: &Gates, gates: &mut [f32], row: usize, state: usize, #[comptime] hidden_size: usize) {
    let at = row + state;
    gates[at] = values.input;
    gates[at + hidden_size] = values.forget;
    gates[at + 2 * hidden_size] = values.candidate;
    gates[at + 3 * hidden_size] = values.output;
}

/// The gates, given their sums.
#[cube]
pub(super) fn activate(sums: &Gates) -> Gates {
    Gates {
        input: sigmoid(sums.input),
        forget: sigmoid(sums.forget),
        candidate: tanh(sums.candidate),
        output: sigmoid(sums.output),
    }
}

/// The cell after this frame, given the one before.
#[cube]
pub(super) fn next_cell(gates: &Gates, cell_before: f32) -> f32 {
    gates.forget * cell_before + gates.input * gates.candidate
}

/// The hidden state, given the cell after this frame.
#[cube]
pub(super) fn hidden_state(gates: &Gates, cell: f32) -> f32 {
    gates.output * tanh(cell)
}

/// Gradients of one frame, given those of its hidden state and, through the frame behind, of its cell.
#[cube]
pub(super) fn cell_backward(
    gates: &Gates,
    cell: f32,
    cell_before: f32,
    d_hidden: f32,
    d_cell_behind: f32,
) -> CellGradients {
    let cell_tanh = tanh(cell);
    let d_cell = d_cell_behind + d_hidden * gates.output * (1.0 - cell_tanh * cell_tanh);
    CellGradients {
        gates: Gates {
            input: d_cell * gates.candidate * gates.input * (1.0 - gates.input),
            forget: d_cell * cell_before * gates.forget * (1.0 - gates.forget),
            candidate: d_cell * gates.input * (1.0 - gates.candidate * gates.candidate),
            output: d_hidden * cell_tanh * gates.output * (1.0 - gates.output),
        },
        cell: d_cell * gates.forget,
    }
}

#[cube]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + f32::exp(-x))
}

/// tanh without an overflow for large arguments, which some drivers' have.
#[cube]
fn tanh(x: f32) -> f32 {
    2.0 * sigmoid(2.0 * x) - 1.0
}
