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
use super::lstm_gpu::{sigmoid, tanh};

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
    let gate = row * 4 * hidden_size + i;
    let mut input = projected[gate];
    let mut forget = projected[gate + hidden_size];
    let mut candidate = projected[gate + 2 * hidden_size];
    let mut output = projected[gate + 3 * hidden_size];
    let mut cell = 0.0f32;
    if comptime!(!is_first) {
        let sum = clip * 4 * hidden_size + i;
        input += sums[sum];
        forget += sums[sum + hidden_size];
        candidate += sums[sum + 2 * hidden_size];
        output += sums[sum + 3 * hidden_size];
        cell = cells[(row - clips) * hidden_size + i];
    }
    input = sigmoid(input);
    forget = sigmoid(forget);
    candidate = tanh(candidate);
    output = sigmoid(output);
    cell = forget * cell + input * candidate;
    let state = output * tanh(cell);
    gates[gate] = input;
    gates[gate + hidden_size] = forget;
    gates[gate + 2 * hidden_size] = candidate;
    gates[gate + 3 * hidden_size] = output;
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
    let gate = row * 4 * hidden_size + i;
    let mut d_hidden = hidden_gradient[row * hidden_size + i];
    let mut d_cell_behind = 0.0f32;
    if comptime!(!is_last) {
        d_hidden += sums[unit];
        d_cell_behind = cell_gradient[unit];
    }
    let input = gates[gate];
    let forget = gates[gate + hidden_size];
    let candidate = gates[gate + 2 * hidden_size];
    let output = gates[gate + 3 * hidden_size];
    let cell_tanh = tanh(cells[row * hidden_size + i]);
    let mut cell_before = 0.0f32;
    if row >= clips {
        cell_before = cells[(row - clips) * hidden_size + i];
    }
    let d_cell = d_cell_behind + d_hidden * output * (1.0 - cell_tanh * cell_tanh);
    let d_input = d_cell * candidate * input * (1.0 - input);
    let d_forget = d_cell * cell_before * forget * (1.0 - forget);
    let d_candidate = d_cell * input * (1.0 - candidate * candidate);
    let d_output = d_hidden * cell_tanh * output * (1.0 - output);
    cell_gradient[unit] = d_cell * forget;
    gradient[gate] = d_input;
    gradient[gate + hidden_size] = d_forget;
    gradient[gate + 2 * hidden_size] = d_candidate;
    gradient[gate + 3 * hidden_size] = d_output;
    let now = clip * 4 * hidden_size + i;
    gradient_now[now] = d_input;
    gradient_now[now + hidden_size] = d_forget;
    gradient_now[now + 2 * hidden_size] = d_candidate;
    gradient_now[now + 3 * hidden_size] = d_output;
}
