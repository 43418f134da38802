//! The recurrence of a large state on a GPU, frame by frame: burn's matrix product, and one kernel for all that is
//! element-wise.

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Cube, TensorMetadata};
use burn::cubecl;
use burn::cubecl::prelude::*;
use burn::tensor::Shape;
use burn_wgpu::into_contiguous;

use super::lstm::LstmStates;
use super::lstm_cell;

type Floats = FloatTensor<Cube>;

/// Units of a workgroup.
const UNITS: u32 = 64;

/// Writes `states`, given the gates' `projected` inputs `[frames, clips, 4 * hidden_size]` and the `recurrent` weights
/// `[hidden_size, 4 * hidden_size]`.
pub(super) fn forward(projected: Floats, recurrent: Floats, states: &LstmStates<Cube>) {
    let [frames, clips, num_gates] = dims(&projected);
    let hidden_size = num_gates / 4;
    let empty = empty_like(&projected);
    let client = projected.client.clone();
    let mut before: Option<Floats> = None;
    for frame in 0..frames {
        let is_first = before.is_none();
        let sums = before.map_or_else(
            || empty([clips, num_gates]),
            |before| into_contiguous(Cube::float_matmul(before, recurrent.clone())),
        );
        let hidden = empty([clips, hidden_size]);
        forward_frame::launch(
            &client,
            workgroups(clips * hidden_size),
            CubeDim::new_1d(UNITS),
            projected.clone().into_buffer_arg(),
            sums.into_buffer_arg(),
            hidden.clone().into_buffer_arg(),
            states.hidden.clone().into_buffer_arg(),
            states.cells.clone().into_buffer_arg(),
            states.gates.clone().into_buffer_arg(),
            frame as u32,
            clips as u32,
            hidden_size,
            is_first,
        );
        before = Some(hidden);
    }
}

/// Writes the `gradient` of the gates' sums, `[frames, clips, 4 * hidden_size]`, given that of the hidden states and the
/// weights `transposed`, `[4 * hidden_size, hidden_size]`.
pub(super) fn backward(hidden_gradient: Floats, transposed: Floats, states: LstmStates<Cube>, gradient: Floats) {
    let [frames, clips, num_gates] = dims(&gradient);
    let hidden_size = num_gates / 4;
    let empty = empty_like(&gradient);
    let client = gradient.client.clone();
    let cell_gradient = empty([clips, hidden_size]);
    let mut behind: Option<Floats> = None;
    for frame in (0..frames).rev() {
        let is_last = behind.is_none();
        let sums = behind.map_or_else(
            || empty([clips, hidden_size]),
            |behind| into_contiguous(Cube::float_matmul(behind, transposed.clone())),
        );
        let frame_gradient = empty([clips, num_gates]);
        backward_frame::launch(
            &client,
            workgroups(clips * hidden_size),
            CubeDim::new_1d(UNITS),
            hidden_gradient.clone().into_buffer_arg(),
            sums.into_buffer_arg(),
            states.cells.clone().into_buffer_arg(),
            states.gates.clone().into_buffer_arg(),
            cell_gradient.clone().into_buffer_arg(),
            gradient.clone().into_buffer_arg(),
            frame_gradient.clone().into_buffer_arg(),
            frame as u32,
            clips as u32,
            hidden_size,
            is_last,
        );
        behind = Some(frame_gradient);
    }
}

fn dims(tensor: &Floats) -> [usize; 3] {
    let shape = tensor.shape();
    [shape[0], shape[1], shape[2]]
}

fn empty_like(tensor: &Floats) -> impl Fn([usize; 2]) -> Floats + use<> {
    let (device, dtype) = (tensor.device(), tensor.dtype().into());
    move |shape| Cube::float_empty(Shape::new(shape), &device, dtype)
}

fn workgroups(units: usize) -> CubeCount {
    CubeCount::Static((units as u32).div_ceil(UNITS), 1, 1)
}

/// One unit for each state of each clip. `sums` `[clips, 4 * hidden_size]` is the recurrent part of the gates; `hidden_now`
/// `[clips, hidden_size]` is what `hidden` gets at `frame`.
#[cube(launch)]
fn forward_frame(
    projected: &[f32],
    sums: &[f32],
    hidden_now: &mut [f32],
    hidden: &mut [f32],
    cells: &mut [f32],
    gates: &mut [f32],
    frame: u32,
    clips: u32,
    #[comptime] hidden_size: usize,
    #[comptime] is_first: bool,
) {
    let unit = ABSOLUTE_POS;
    let clips = clips as usize;
    if unit >= clips * hidden_size {
        terminate!();
    }
    let clip = unit / hidden_size;
    let i = unit % hidden_size;
    let row = frame as usize * clips + clip;
    let num_gates = 4 * hidden_size;
    let mut sums_now = lstm_cell::load(projected, row * num_gates, i, hidden_size);
    let mut cell = 0.0f32;
    if comptime!(!is_first) {
        let recurrent = lstm_cell::load(sums, clip * num_gates, i, hidden_size);
        sums_now.input += recurrent.input;
        sums_now.forget += recurrent.forget;
        sums_now.candidate += recurrent.candidate;
        sums_now.output += recurrent.output;
        cell = cells[(row - clips) * hidden_size + i];
    }
    let activated = lstm_cell::activate(&sums_now);
    cell = lstm_cell::next_cell(&activated, cell);
    let state = lstm_cell::hidden_state(&activated, cell);
    lstm_cell::store(&activated, gates, row * num_gates, i, hidden_size);
    cells[row * hidden_size + i] = cell;
    hidden[row * hidden_size + i] = state;
    hidden_now[unit] = state;
}

/// One unit for each state of each clip. `sums` `[clips, hidden_size]` is what the hidden states get through the frame behind;
/// `gradient_now` `[clips, 4 * hidden_size]` is what `gradient` gets at `frame`.
#[cube(launch)]
fn backward_frame(
    hidden_gradient: &[f32],
    sums: &[f32],
    cells: &[f32],
    gates: &[f32],
    cell_gradient: &mut [f32],
    gradient: &mut [f32],
    gradient_now: &mut [f32],
    frame: u32,
    clips: u32,
    #[comptime] hidden_size: usize,
    #[comptime] is_last: bool,
) {
    let unit = ABSOLUTE_POS;
    let clips = clips as usize;
    if unit >= clips * hidden_size {
        terminate!();
    }
    let clip = unit / hidden_size;
    let i = unit % hidden_size;
    let row = frame as usize * clips + clip;
    let num_gates = 4 * hidden_size;
    let mut d_hidden = hidden_gradient[row * hidden_size + i];
    let mut d_cell_behind = 0.0f32;
    if comptime!(!is_last) {
        d_hidden += sums[unit];
        d_cell_behind = cell_gradient[unit];
    }
    let mut cell_before = 0.0f32;
    if row >= clips {
        cell_before = cells[(row - clips) * hidden_size + i];
    }
    let activated = lstm_cell::load(gates, row * num_gates, i, hidden_size);
    let cell = cells[row * hidden_size + i];
    let gradients = lstm_cell::cell_backward(&activated, cell, cell_before, d_hidden, d_cell_behind);
    cell_gradient[unit] = gradients.cell;
    lstm_cell::store(&gradients.gates, gradient, row * num_gates, i, hidden_size);
    lstm_cell::store(&gradients.gates, gradient_now, clip * num_gates, i, hidden_size);
}
