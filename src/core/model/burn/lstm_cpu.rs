//! The recurrence on the CPU, with the matrix product of the hand-written VFER.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::TensorData;

use super::lstm::{LstmKernels, LstmStates};
use crate::model::gemm::{Accumulate, PackBuffer, RowMajor, gemm};
use crate::model::math::{sigmoid, tanh};
use crate::simd::{Isa, Operation, Simd, dispatch};

impl LstmKernels for Flex {
    fn lstm_forward(projected: FlexTensor, recurrent: FlexTensor) -> LstmStates<Self> {
        let [frames, clips, num_gates] = dims(&projected);
        let hidden_size = num_gates / 4;
        let mut gates = values(projected);
        let mut cells = vec![0.0; frames * clips * hidden_size];
        let mut hidden = cells.clone();
        let recurrent = values(recurrent);
        let state = State { clips, hidden_size, gates: &mut gates, cells: &mut cells, hidden: &mut hidden };
        dispatch!(Isa::best(), simd => simd.call(Forward { simd, state, recurrent: &recurrent }));
        let states = [frames, clips, hidden_size];
        LstmStates {
            hidden: tensor(hidden, states),
            cells: tensor(cells, states),
            gates: tensor(gates, [frames, clips, num_gates]),
        }
    }

    fn lstm_backward(hidden_gradient: FlexTensor, recurrent: FlexTensor, states: LstmStates<Self>) -> FlexTensor {
        let [frames, clips, hidden_size] = dims(&hidden_gradient);
        let mut hidden_gradient = values(hidden_gradient);
        let mut gates = values(states.gates);
        let cells = values(states.cells);
        let transposed = values(recurrent.transpose(0, 1).to_contiguous());
        let backward = Backward { clips, hidden_size, hidden_gradient: &mut hidden_gradient, gates: &mut gates };
        dispatch!(Isa::best(), simd => {
            simd.call(BackwardPass { simd, backward, cells: &cells, transposed: &transposed });
        });
        tensor(gates, [frames, clips, 4 * hidden_size])
    }
}

/// The states of all frames, row-major `[frames, clips, …]`. `gates` holds their projected inputs at first.
struct State<'a> {
    clips: usize,
    hidden_size: usize,
    gates: &'a mut [f32],
    cells: &'a mut [f32],
    hidden: &'a mut [f32],
}

struct Forward<'a, S> {
    simd: S,
    state: State<'a>,
    /// `[hidden_size, 4 * hidden_size]`.
    recurrent: &'a [f32],
}

impl<S: Simd> Operation for Forward<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { simd, state: State { clips, hidden_size, gates, cells, hidden }, recurrent } = self;
        let (num_gates, states) = (4 * hidden_size, clips * hidden_size);
        let mut packed = PackBuffer::default();
        packed.fill(simd, recurrent, num_gates);
        for (frame, gates) in gates.chunks_exact_mut(clips * num_gates).enumerate() {
            let (before, now) = hidden.split_at_mut(frame * states);
            let (cells_before, cells) = cells.split_at_mut(frame * states);
            if frame > 0 {
                let before = RowMajor { values: &before[before.len() - states..], k: hidden_size };
                gemm(simd, before, packed.panels(simd), Accumulate, gates, num_gates);
                cells[..states].copy_from_slice(&cells_before[cells_before.len() - states..]);
            }
            let rows = cells.chunks_exact_mut(hidden_size).zip(now.chunks_exact_mut(hidden_size));
            for (gates, (cells, hidden)) in gates.chunks_exact_mut(num_gates).zip(rows) {
                let (input, rest) = gates.split_at_mut(hidden_size);
                let (forget, rest) = rest.split_at_mut(hidden_size);
                let (candidate, output) = rest.split_at_mut(hidden_size);
                for i in 0..hidden_size {
                    input[i] = sigmoid(input[i]);
                    forget[i] = sigmoid(forget[i]);
                    candidate[i] = tanh(candidate[i]);
                    output[i] = sigmoid(output[i]);
                    cells[i] = forget[i] * cells[i] + input[i] * candidate[i];
                    hidden[i] = output[i] * tanh(cells[i]);
                }
            }
        }
    }
}

/// Row-major `[frames, clips, …]`. `hidden_gradient` becomes that of each frame through all frames behind it, `gates` the
/// gradients of the gates' sums.
struct Backward<'a> {
    clips: usize,
    hidden_size: usize,
    hidden_gradient: &'a mut [f32],
    gates: &'a mut [f32],
}

struct BackwardPass<'a, S> {
    simd: S,
    backward: Backward<'a>,
    cells: &'a [f32],
    /// `[4 * hidden_size, hidden_size]`.
    transposed: &'a [f32],
}

impl<S: Simd> Operation for BackwardPass<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { simd, backward: Backward { clips, hidden_size, hidden_gradient, gates }, cells, transposed } = self;
        let (num_gates, states) = (4 * hidden_size, clips * hidden_size);
        let mut packed = PackBuffer::default();
        packed.fill(simd, transposed, hidden_size);
        let mut cell_gradient = vec![0.0; states];
        let zeros = vec![0.0; states];
        for frame in (0..gates.len() / (clips * num_gates)).rev() {
            let (now, behind) = gates[frame * clips * num_gates..].split_at_mut(clips * num_gates);
            let hidden_gradient = &mut hidden_gradient[frame * states..(frame + 1) * states];
            if let Some(behind) = behind.get(..clips * num_gates) {
                let behind = RowMajor { values: behind, k: num_gates };
                gemm(simd, behind, packed.panels(simd), Accumulate, hidden_gradient, hidden_size);
            }
            let cells_before = if frame > 0 { &cells[(frame - 1) * states..frame * states] } else { &zeros[..] };
            let cells = &cells[frame * states..(frame + 1) * states];
            for (clip, gates) in now.chunks_exact_mut(num_gates).enumerate() {
                let row = clip * hidden_size..(clip + 1) * hidden_size;
                let (cells, cells_before) = (&cells[row.clone()], &cells_before[row.clone()]);
                let (hidden_gradient, cell_gradient) = (&hidden_gradient[row.clone()], &mut cell_gradient[row]);
                let (input, rest) = gates.split_at_mut(hidden_size);
                let (forget, rest) = rest.split_at_mut(hidden_size);
                let (candidate, output) = rest.split_at_mut(hidden_size);
                for i in 0..hidden_size {
                    let cell_tanh = tanh(cells[i]);
                    let d_hidden = hidden_gradient[i];
                    let d_cell = cell_gradient[i] + d_hidden * output[i] * (1.0 - cell_tanh * cell_tanh);
                    cell_gradient[i] = d_cell * forget[i];
                    let d_input = d_cell * candidate[i] * input[i] * (1.0 - input[i]);
                    candidate[i] = d_cell * input[i] * (1.0 - candidate[i] * candidate[i]);
                    input[i] = d_input;
                    forget[i] = d_cell * cells_before[i] * forget[i] * (1.0 - forget[i]);
                    output[i] = d_hidden * cell_tanh * output[i] * (1.0 - output[i]);
                }
            }
        }
    }
}

fn dims(tensor: &FlexTensor) -> [usize; 3] {
    let shape = tensor.layout().shape();
    [shape[0], shape[1], shape[2]]
}

fn values(tensor: FlexTensor) -> Vec<f32> {
    let contiguous = tensor.to_contiguous();
    contiguous.as_slice::<f32>().map(<[f32]>::to_vec).unwrap_or_default()
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}
