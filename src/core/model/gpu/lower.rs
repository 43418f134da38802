//! From a graph to dispatches: one for each node, three for a convolution by Winograd's algorithm.

use burn_wgpu::wgpu;

use super::convolution::{self, Operands, Scratch};
use super::layout::{LANES, stored_elements};
use super::parameters::{OUTPUT, Parameters, RESIDUAL};
use super::recorder::Recorder;
use super::{Executor, GpuContext, Precision, shaders};
use crate::model::graph::{Convolution, FeatureMap, Graph, Liveness, MemoryPlan, Node, Op};

/// Dispatches of a node, at most.
const MAX_DISPATCHES: usize = 3;

impl Executor {
    /// Uploads the weights, compiles the kernels, plans the buffers and records every dispatch.
    pub fn new(graph: &Graph, context: &GpuContext) -> Self {
        let recorder = Recorder::new(context, MAX_DISPATCHES * graph.nodes().len());
        let mut lowering = Lowering::new(graph, recorder);
        graph.nodes().iter().for_each(|node| lowering.append(node));
        Self {
            context: context.clone(),
            input: graph.input(),
            outputs: graph.outputs().to_vec(),
            input_buffer: lowering.buffer(graph.input()),
            output_buffers: graph.outputs().iter().map(|map| lowering.buffer(*map)).collect(),
            dispatches: lowering.recorder.finish(),
        }
    }
}

struct Lowering<'a> {
    recorder: Recorder<'a>,
    liveness: Liveness,
    plan: MemoryPlan,
    /// By the plan's buffer.
    buffers: Vec<wgpu::Buffer>,
    scratch: Scratch,
    /// Bound where a convolution reads no residual, and where it writes no concatenation.
    unused: [wgpu::Buffer; 2],
}

impl<'a> Lowering<'a> {
    fn new(graph: &Graph, recorder: Recorder<'a>) -> Self {
        let liveness = Liveness::of(graph);
        let plan = MemoryPlan::new(graph, &liveness, |map| stored_elements(map.shape));
        let storage = |size: &usize| recorder.storage("feature map", *size, recorder.precision());
        let buffers = plan.sizes().iter().map(storage).collect();
        let unused = ["no residual", "no concatenation"].map(|label| recorder.storage(label, LANES, Precision::F32));
        Self { liveness, buffers, scratch: Scratch::new(graph, &recorder), unused, plan, recorder }
    }

    fn buffer(&self, map: FeatureMap) -> wgpu::Buffer {
        self.buffers[self.plan.buffer(map)].clone()
    }

    fn append(&mut self, node: &Node) {
        let output = node.output;
        let elements = stored_elements(output.shape);
        let (kernel, inputs, parameters) = match &node.op {
            Op::Convolution { convolution, input, .. } if convolution.depthwise => {
                let parameters = Parameters::new(input.shape, output.shape).with_convolution(convolution);
                let weights = convolution::depthwise_weights(convolution);
                let weights = self.recorder.upload("weights", &weights, self.recorder.precision());
                let buffers = [self.buffer(*input), weights, self.buffer(output)];
                return self.recorder.elementwise(shaders::DEPTHWISE, parameters, &buffers, elements);
            }
            Op::Convolution { convolution, .. } => return self.convolution(convolution, node),
            Op::MaxPool { input, stride } => {
                let parameters = Parameters::new(input.shape, output.shape);
                (shaders::MAX_POOL, vec![*input], Parameters { stride: *stride as u32, ..parameters })
            }
            Op::UpsampleAdd { low, high } => {
                (shaders::UPSAMPLE_ADD, vec![*low, *high], Parameters::new(low.shape, output.shape))
            }
            Op::MultiplyAdd { input, gate, addend } => {
                (shaders::MULTIPLY_ADD, vec![*input, *gate, *addend], Parameters::new(input.shape, output.shape))
            }
            Op::GlobalAveragePool { input } => {
                (shaders::GLOBAL_AVERAGE_POOL, vec![*input], Parameters::new(input.shape, output.shape))
            }
        };
        let buffers: Vec<wgpu::Buffer> = inputs.into_iter().chain([output]).map(|map| self.buffer(map)).collect();
        self.recorder.elementwise(kernel, parameters, &buffers, elements);
    }

    fn convolution(&mut self, convolution: &Convolution, node: &Node) {
        let Op::Convolution { input, residual, concat, .. } = &node.op else { return };
        let parameters = Parameters::new(input.shape, node.output.shape)
            .with_convolution(convolution)
            .with_concat(*concat)
            .with_flag(RESIDUAL, residual.is_some())
            // A result that only its concatenation is read of is not written twice.
            .with_flag(OUTPUT, self.liveness.is_read(node.output));
        let [unread, unwritten] = &self.unused;
        let or =
            |map: Option<FeatureMap>, unused: &wgpu::Buffer| map.map_or_else(|| unused.clone(), |map| self.buffer(map));
        let operands = Operands {
            input: self.buffer(*input),
            epilogue: [
                or(*residual, unread),
                or(concat.map(|concat| concat.residual), unread),
                self.buffer(node.output),
                or(concat.map(|concat| concat.output), unwritten),
            ],
        };
        let shapes = (input.shape, node.output.shape);
        convolution::record(&mut self.recorder, convolution, shapes, parameters, operands, &self.scratch);
    }
}
