//! A graph prepared for an instruction set, and its execution node by node.

use std::mem::take;

use super::convolution::PreparedConvolution;
use super::elementwise;
use crate::model::graph::{FeatureMap, Graph, Liveness, MemoryPlan, Node, Op};
use crate::simd::{Operation, Simd};

/// A graph with weights packed for `S`.
pub(super) struct Program<S: Simd> {
    simd: S,
    input: FeatureMap,
    outputs: Vec<FeatureMap>,
    nodes: Vec<Node<PreparedConvolution<S>>>,
    /// By node: whether it is computed together with the next one ([`PreparedConvolution::run_fused`]).
    fused_with_next: Vec<bool>,
    plan: MemoryPlan,
}

/// Buffers of one thread, kept from run to run.
#[derive(Default)]
pub(super) struct Memory {
    buffers: Vec<Vec<f32>>,
    scratch: Vec<f32>,
}

impl<S: Simd> Program<S> {
    /// Packs the weights and plans the buffers.
    pub fn new(simd: S, graph: &Graph) -> Self {
        let prepare = |node: &Node| Node {
            op: node.op.map_convolution(|convolution, input| PreparedConvolution::new(simd, convolution, input)),
            output: node.output,
        };
        let nodes: Vec<Node<PreparedConvolution<S>>> = graph.nodes().iter().map(prepare).collect();
        let mut liveness = Liveness::of(graph);
        let mut fused_with_next = vec![false; nodes.len()];
        for (index, pair) in nodes.windows(2).enumerate() {
            if let Some(input) = fusable(pair, index, &liveness) {
                fused_with_next[index] = true;
                liveness.extend(input, index + 1);
            }
        }
        let plan = MemoryPlan::new(graph, &liveness, |map| map.shape.elements());
        Self { simd, input: graph.input(), outputs: graph.outputs().to_vec(), nodes, fused_with_next, plan }
    }

    /// One image in, all outputs out: see [`super::Executor::run`].
    pub fn run(&self, planes: &[f32], memory: &mut Memory) -> Vec<Vec<f32>> {
        self.simd.call(Run { program: self, planes, memory })
    }
}

/// What the first of two nodes reads, if it is a depthwise convolution whose result only the second one reads, and both can
/// be computed together.
fn fusable<S: Simd>(pair: &[Node<PreparedConvolution<S>>], index: usize, liveness: &Liveness) -> Option<FeatureMap> {
    let [
        Node { op: Op::Convolution { convolution: first, input, .. }, output },
        Node { op: Op::Convolution { convolution: second, input: between, .. }, .. },
    ] = pair
    else {
        return None;
    };
    let is_read_once = output == between && liveness.last_access(*output) == index + 1;
    (is_read_once && second.fuses_with(first)).then_some(*input)
}

/// [`Program::run`], compiled for an instruction set.
struct Run<'a, S: Simd> {
    program: &'a Program<S>,
    planes: &'a [f32],
    memory: &'a mut Memory,
}

impl<S: Simd> Operation for Run<'_, S> {
    type Output = Vec<Vec<f32>>;

    #[inline(always)]
    fn run(self) -> Vec<Vec<f32>> {
        let Self { program: Program { input, outputs, nodes, fused_with_next, plan, .. }, planes, memory } = self;
        let Memory { buffers, scratch } = memory;
        assert_eq!(planes.len(), input.shape.elements(), "an image of the graph's input size");
        if buffers.is_empty() {
            buffers.extend(plan.sizes().iter().map(|size| vec![0.0; *size]));
        }
        // NCHW to NHWC.
        for (channel, plane) in planes.chunks_exact(input.shape.pixels()).enumerate() {
            let values = buffers[plan.buffer(*input)][channel..].iter_mut().step_by(input.shape.channels);
            values.zip(plane).for_each(|(value, input)| *value = *input);
        }
        let mut deferred = None;
        for (node, is_fused) in nodes.iter().zip(fused_with_next) {
            if let (Op::Convolution { convolution, input, .. }, true) = (&node.op, is_fused) {
                deferred = Some((convolution, *input));
                continue;
            }
            let output = node.output;
            let mut buffer = take(&mut buffers[plan.buffer(output)]);
            let read = |map: &FeatureMap| &buffers[plan.buffer(*map)][..map.shape.elements()];
            let out = &mut buffer[..output.shape.elements()];
            match &node.op {
                Op::Convolution { convolution, input, residual, .. } => {
                    let residual = residual.as_ref().map(read);
                    match deferred.take() {
                        Some((depthwise, input)) => {
                            convolution.run_fused(depthwise, read(&input), residual, out, scratch);
                        }
                        None => convolution.run(read(input), residual, out, scratch),
                    }
                }
                Op::MaxPool { input, stride } => elementwise::max_pool(read(input), input.shape, *stride, out),
                Op::UpsampleAdd { low, high } => elementwise::upsample_add(read(low), read(high), output.shape, out),
                Op::MultiplyAdd { input, gate, addend } => {
                    elementwise::multiply_add(read(input), read(gate), read(addend), output.shape.channels, out);
                }
                Op::GlobalAveragePool { input } => elementwise::global_average_pool(read(input), out),
            }
            if let Some(concat) = node.op.concat() {
                let mut concatenated = take(&mut buffers[plan.buffer(concat.output)]);
                let residual = &buffers[plan.buffer(concat.residual)];
                let branch = &buffer[..output.shape.elements()];
                let out = &mut concatenated[..concat.output.shape.elements()];
                elementwise::concat_add(branch, output.shape.channels, residual, concat, out);
                buffers[plan.buffer(concat.output)] = concatenated;
            }
            buffers[plan.buffer(output)] = buffer;
        }
        outputs.iter().map(|map| buffers[plan.buffer(*map)][..map.shape.elements()].to_vec()).collect()
    }
}
