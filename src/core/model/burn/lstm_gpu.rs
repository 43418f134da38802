//! The recurrence on a GPU, written in CubeCL's dialect of Rust. A small state runs here, in one dispatch forward and one
//! backward for all frames; a larger one, whose weights one workgroup cannot read fast enough, frame by frame in
//! [`super::lstm_gpu_frames`].
//!
//! A workgroup runs one clip from the first frame to the last, its state in workgroup memory, so that nothing waits for a
//! dispatch a frame. Unit `u` computes the states `u`, `u + units`, … of a frame. `sync_cube` (a workgroup barrier) stands
//! in the loop over frames alone, whose bounds are scalars of the launch, so that control flow is uniform there. Units read
//! back from global memory only what they wrote themselves.

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Cube, TensorMetadata};
use burn::cubecl;
use burn::cubecl::prelude::*;
use burn::tensor::Shape;
use burn_wgpu::into_contiguous;

use super::lstm::{LstmKernels, LstmStates};
use super::{lstm_cell, lstm_gpu_frames};

/// Largest state that one workgroup runs.
const MAX_HIDDEN_SIZE: usize = 128;
/// Units of a workgroup at most: WebGPU's default limit of invocations.
const MAX_UNITS: u32 = 256;

impl LstmKernels for Cube {
    fn lstm_forward(projected: FloatTensor<Self>, recurrent: FloatTensor<Self>) -> LstmStates<Self> {
        let (projected, recurrent) = (into_contiguous(projected), into_contiguous(recurrent));
        let shape = projected.shape();
        let (frames, clips, num_gates) = (shape[0], shape[1], shape[2]);
        let (device, dtype) = (projected.device(), projected.dtype().into());
        let empty = |width| Self::float_empty(Shape::new([frames, clips, width]), &device, dtype);
        let states: LstmStates<Self> =
            LstmStates { hidden: empty(num_gates / 4), cells: empty(num_gates / 4), gates: empty(num_gates) };
        let client = projected.client.clone();
        if num_gates / 4 > MAX_HIDDEN_SIZE {
            lstm_gpu_frames::forward(projected, recurrent, &states);
            return states;
        }
        forward_frames::launch(
            &client,
            CubeCount::Static(clips as u32, 1, 1),
            units(num_gates / 4),
            projected.into_buffer_arg(),
            recurrent.into_buffer_arg(),
            states.hidden.clone().into_buffer_arg(),
            states.cells.clone().into_buffer_arg(),
            states.gates.clone().into_buffer_arg(),
            frames as u32,
            num_gates / 4,
        );
        states
    }

    fn lstm_backward(
        hidden_gradient: FloatTensor<Self>,
        recurrent: FloatTensor<Self>,
        states: LstmStates<Self>,
    ) -> FloatTensor<Self> {
        let hidden_gradient = into_contiguous(hidden_gradient);
        let transposed = into_contiguous(Self::float_transpose(recurrent));
        let shape = states.gates.shape();
        let (frames, clips, num_gates) = (shape[0], shape[1], shape[2]);
        let gradient = Self::float_empty(shape, &states.gates.device(), states.gates.dtype().into());
        let client = hidden_gradient.client.clone();
        if num_gates / 4 > MAX_HIDDEN_SIZE {
            lstm_gpu_frames::backward(hidden_gradient, transposed, states, gradient.clone());
            return gradient;
        }
        backward_frames::launch(
            &client,
            CubeCount::Static(clips as u32, 1, 1),
            units(num_gates / 4),
            hidden_gradient.into_buffer_arg(),
            transposed.into_buffer_arg(),
            states.cells.into_buffer_arg(),
            states.gates.into_buffer_arg(),
            gradient.clone().into_buffer_arg(),
            frames as u32,
            num_gates / 4,
        );
        gradient
    }
}

fn units(hidden_size: usize) -> CubeDim {
    CubeDim::new_1d((hidden_size as u32).next_multiple_of(32).min(MAX_UNITS))
}

/// One workgroup a clip. `projected`, `gates`: `[frames, clips, 4 * hidden_size]`; `recurrent`: `[hidden_size,
/// 4 * hidden_size]`; `hidden`, `cells`: `[frames, clips, hidden_size]`.
#[cube(launch)]
fn forward_frames(
    projected: &[f32],
    recurrent: &[f32],
    hidden: &mut [f32],
    cells: &mut [f32],
    gates: &mut [f32],
    frames: u32,
    #[comptime] hidden_size: usize,
) {
    let units = CUBE_DIM as usize;
    let clips = CUBE_COUNT;
    let num_gates = 4 * hidden_size;
    let mut state = Shared::<[f32]>::new_slice(hidden_size);
    let mut i = UNIT_POS as usize;
    while i < hidden_size {
        state[i] = 0.0;
        i += units;
    }
    sync_cube();
    for frame in 0..frames as usize {
        let row = frame * clips + CUBE_POS;
        let mut i = UNIT_POS as usize;
        while i < hidden_size {
            let mut sums = lstm_cell::load(projected, row * num_gates, i, hidden_size);
            for k in 0..hidden_size {
                let value = state[k];
                let weights = lstm_cell::load(recurrent, k * num_gates, i, hidden_size);
                sums.input += value * weights.input;
                sums.forget += value * weights.forget;
                sums.candidate += value * weights.candidate;
                sums.output += value * weights.output;
            }
            let mut cell = 0.0f32;
            if frame > 0 {
                cell = cells[(row - clips) * hidden_size + i];
            }
            let activated = lstm_cell::activate(&sums);
            cell = lstm_cell::next_cell(&activated, cell);
            lstm_cell::store(&activated, gates, row * num_gates, i, hidden_size);
            cells[row * hidden_size + i] = cell;
            hidden[row * hidden_size + i] = lstm_cell::hidden_state(&activated, cell);
            i += units;
        }
        // All have read the state before any changes it.
        sync_cube();
        let mut i = UNIT_POS as usize;
        while i < hidden_size {
            state[i] = hidden[row * hidden_size + i];
            i += units;
        }
        sync_cube();
    }
}

/// One workgroup a clip, from the last frame to the first. `hidden_gradient`, `cells`: `[frames, clips, hidden_size]`;
/// `transposed`: `[4 * hidden_size, hidden_size]`; `gates`, `gradient`: `[frames, clips, 4 * hidden_size]`.
#[cube(launch)]
fn backward_frames(
    hidden_gradient: &[f32],
    transposed: &[f32],
    cells: &[f32],
    gates: &[f32],
    gradient: &mut [f32],
    frames: u32,
    #[comptime] hidden_size: usize,
) {
    let units = CUBE_DIM as usize;
    let clips = CUBE_COUNT;
    let num_gates = 4 * hidden_size;
    // The gates' gradients of the frame behind, and what the cells get from it.
    let mut behind = Shared::<[f32]>::new_slice(num_gates);
    let mut cell_gradient = Shared::<[f32]>::new_slice(hidden_size);
    let mut i = UNIT_POS as usize;
    while i < hidden_size {
        cell_gradient[i] = 0.0;
        behind[i] = 0.0;
        behind[i + hidden_size] = 0.0;
        behind[i + 2 * hidden_size] = 0.0;
        behind[i + 3 * hidden_size] = 0.0;
        i += units;
    }
    sync_cube();
    for step in 0..frames as usize {
        let row = (frames as usize - 1 - step) * clips + CUBE_POS;
        let mut i = UNIT_POS as usize;
        while i < hidden_size {
            let mut d_hidden = hidden_gradient[row * hidden_size + i];
            for k in 0..num_gates {
                d_hidden += behind[k] * transposed[k * hidden_size + i];
            }
            let mut cell_before = 0.0f32;
            if row >= clips {
                cell_before = cells[(row - clips) * hidden_size + i];
            }
            let activated = lstm_cell::load(gates, row * num_gates, i, hidden_size);
            let cell = cells[row * hidden_size + i];
            let gradients = lstm_cell::cell_backward(&activated, cell, cell_before, d_hidden, cell_gradient[i]);
            cell_gradient[i] = gradients.cell;
            lstm_cell::store(&gradients.gates, gradient, row * num_gates, i, hidden_size);
            i += units;
        }
        sync_cube();
        let mut i = UNIT_POS as usize;
        while i < hidden_size {
            let now = lstm_cell::load(&*gradient, row * num_gates, i, hidden_size);
            lstm_cell::store(&now, &mut behind, 0, i, hidden_size);
            i += units;
        }
        sync_cube();
    }
}
