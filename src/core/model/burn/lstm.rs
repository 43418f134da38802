//! The recurrence of an LSTM layer as one operation of burn's, with a backward pass of its own.
//!
//! burn's stock LSTM is eight matrix products and a dozen element-wise operations a time step, all of them nodes of the
//! autodiff graph. Here the input's part of all gates of all frames is one product outside, and what is left, the
//! recurrence, is one node: forward keeps the gates and cells, backward runs through time once and gets the recurrent
//! weights' gradient from a single product over all frames.
//!
//! Gates are in PyTorch's order: input, forget, cell, output. Time comes first: `[frames, clips, …]`.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Shape, Slice, Tensor};

/// What the recurrence computes, and what its backward pass needs of it.
#[derive(Clone, Debug)]
pub struct LstmStates<B: Backend> {
    /// `[frames, clips, hidden_size]`.
    pub hidden: FloatTensor<B>,
    /// `[frames, clips, hidden_size]`.
    pub cells: FloatTensor<B>,
    /// Behind their sigmoid or tanh, `[frames, clips, 4 * hidden_size]`.
    pub gates: FloatTensor<B>,
}

/// The recurrence on one backend.
pub trait LstmKernels: Backend {
    /// Runs all frames from a state of zeros. `projected` is the input's part of the gates with all biases,
    /// `[frames, clips, 4 * hidden_size]`; `recurrent` the weights, `[hidden_size, 4 * hidden_size]`.
    fn lstm_forward(projected: FloatTensor<Self>, recurrent: FloatTensor<Self>) -> LstmStates<Self>;

    /// The gradient of `projected`, given that of the hidden states, `[frames, clips, hidden_size]`.
    fn lstm_backward(
        hidden_gradient: FloatTensor<Self>,
        recurrent: FloatTensor<Self>,
        states: LstmStates<Self>,
    ) -> FloatTensor<Self>;
}

/// The recurrence as an operation of every backend.
#[backend_extension(Flex, Cube: cfg(feature = "burn-gpu"), Autodiff)]
pub trait Lstm: Backend {
    /// The hidden states of [`LstmKernels::lstm_forward`].
    fn lstm(projected: FloatTensor<Self>, recurrent: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl Lstm for Flex {
    fn lstm(projected: FloatTensor<Self>, recurrent: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::lstm_forward(projected, recurrent).hidden
    }
}

#[cfg(feature = "burn-gpu")]
impl Lstm for burn::backend::Cube {
    fn lstm(projected: FloatTensor<Self>, recurrent: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::lstm_forward(projected, recurrent).hidden
    }
}

impl<B: LstmKernels, C: CheckpointStrategy> Lstm for Autodiff<B, C> {
    fn lstm(projected: FloatTensor<Self>, recurrent: FloatTensor<Self>) -> FloatTensor<Self> {
        let (projected, projected_node) = projected.into_parts();
        let (recurrent, recurrent_node) = recurrent.into_parts();
        let states = B::lstm_forward(projected, recurrent.clone());
        let hidden = states.hidden.clone();
        match LstmBackward.prepare::<C>([projected_node, recurrent_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((recurrent, states), hidden),
            OpsKind::UnTracked(prep) => prep.finish(hidden),
        }
    }
}

/// Backpropagation through time.
#[derive(Debug)]
struct LstmBackward;

impl<B: LstmKernels> Backward<B, 2> for LstmBackward {
    type State = (FloatTensor<B>, LstmStates<B>);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (recurrent, states) = ops.state;
        let [projected_node, recurrent_node] = ops.parents;
        let hidden = states.hidden.clone();
        let projected = B::lstm_backward(gradients.consume::<B>(&ops.node), recurrent, states);
        if let Some(node) = recurrent_node {
            gradients.register::<B>(node.id, recurrent_gradient::<B>(hidden, projected.clone()));
        }
        if let Some(node) = projected_node {
            gradients.register::<B>(node.id, projected);
        }
    }
}

/// Hidden states times the gates' gradients of the frame behind, `[hidden_size, 4 * hidden_size]`: one product over all
/// frames.
fn recurrent_gradient<B: Backend>(hidden: FloatTensor<B>, gates: FloatTensor<B>) -> FloatTensor<B> {
    let shape = gates.shape();
    let (frames, clips, num_gates) = (shape[0], shape[1], shape[2]);
    let hidden_size = num_gates / 4;
    if frames == 1 {
        let device = gates.device();
        return B::float_zeros(Shape::new([hidden_size, num_gates]), &device, gates.dtype().into());
    }
    let rows = |tensor, frames: std::ops::Range<usize>, width: usize| {
        let rows = frames.len() * clips;
        let slices = [Slice::from(frames), Slice::from(0..clips), Slice::from(0..width)];
        B::float_reshape(B::float_slice(tensor, &slices), Shape::new([rows, width]))
    };
    let hidden = rows(hidden, 0..frames - 1, hidden_size);
    B::float_matmul(B::float_transpose(hidden), rows(gates, 1..frames, num_gates))
}

/// The hidden states `[frames, clips, hidden_size]` of [`LstmKernels::lstm_forward`], on whatever device the tensors are.
pub(super) fn lstm(projected: Tensor<3>, recurrent: Tensor<2>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as Lstm>::lstm(projected.into_dispatch(), recurrent.into_dispatch()))
}
