//! A network's passes, one after the other.

use std::mem::take;

use super::convolution::Kernel;
use super::elementwise;
use crate::model::network::{Map, Network, Pass, Plan};
use crate::simd::{Operation, Simd};

/// A network with weights packed for `S`.
pub(super) struct Graph<S: Simd> {
    simd: S,
    input: Map,
    outputs: Vec<Map>,
    passes: Vec<Pass>,
    kernels: Vec<Kernel<S>>,
    /// Whether a pass is left to the next one: see [`Kernel::run_after`].
    is_left: Vec<bool>,
    /// Which buffer holds each map, and how many values each buffer has.
    plan: Plan,
}

/// What a run writes to, kept from one to the next.
#[derive(Default)]
pub(super) struct Memory {
    buffers: Vec<Vec<f32>>,
    scratch: Vec<f32>,
}

impl<S: Simd> Graph<S> {
    /// Packs the weights and plans the buffers.
    pub fn new(simd: S, network: &Network) -> Self {
        let mut kernels = Vec::with_capacity(network.convolutions.len());
        for pass in &network.passes {
            if let Pass::Convolution { convolution, input, .. } = pass {
                kernels.push(Kernel::new(simd, &network.convolutions[*convolution], *input));
            }
        }
        let mut last_uses = network.last_uses();
        let mut is_left = vec![false; network.passes.len()];
        for (step, passes) in network.passes.windows(2).enumerate() {
            let [
                Pass::Convolution { convolution: first, input, output, add: None, joint: None },
                Pass::Convolution { convolution: second, input: between, .. },
            ] = passes
            else {
                continue;
            };
            let is_read_once = output == between && last_uses[output.index] == step + 1;
            if is_read_once && kernels[*second].can_follow(&kernels[*first]) {
                is_left[step] = true;
                last_uses[input.index] = last_uses[input.index].max(step + 1);
            }
        }
        Self {
            simd,
            input: network.input,
            outputs: network.outputs.clone(),
            passes: network.passes.clone(),
            kernels,
            is_left,
            plan: network.plan_buffers(&last_uses),
        }
    }

    /// One image in, all outputs out: see [`super::Engine::run`].
    pub fn run(&self, planes: &[f32], memory: &mut Memory) -> Vec<Vec<f32>> {
        self.simd.call(Run { graph: self, planes, memory })
    }
}

/// [`Graph::run`].
struct Run<'a, S: Simd> {
    graph: &'a Graph<S>,
    planes: &'a [f32],
    memory: &'a mut Memory,
}

impl<S: Simd> Operation for Run<'_, S> {
    type Output = Vec<Vec<f32>>;

    #[inline(always)]
    fn run(self) -> Vec<Vec<f32>> {
        let Self { graph: Graph { input, outputs, passes, kernels, is_left, plan, .. }, planes, memory } = self;
        let (Plan { places, sizes }, Memory { buffers, scratch }) = (plan, memory);
        assert_eq!(planes.len(), input.volume(), "an image of the network's size");
        if buffers.is_empty() {
            buffers.extend(sizes.iter().map(|size| vec![0.0; *size]));
        }
        let (channels, pixels) = (input.channels, input.side * input.side);
        for (channel, plane) in planes.chunks_exact(pixels).enumerate() {
            let values = buffers[places[0]][channel..].iter_mut().step_by(channels);
            values.zip(plane).for_each(|(value, input)| *value = *input);
        }
        let mut left = None;
        for (pass, is_left) in passes.iter().zip(is_left) {
            if let (Pass::Convolution { convolution, input, .. }, true) = (pass, is_left) {
                left = Some((&kernels[*convolution], *input));
                continue;
            }
            let output = pass.output();
            let mut buffer = take(&mut buffers[places[output.index]]);
            let read = |map: &Map| &buffers[places[map.index]][..map.volume()];
            let out = &mut buffer[..output.volume()];
            match pass {
                Pass::Convolution { convolution, input, add, .. } => {
                    let (kernel, add) = (&kernels[*convolution], add.as_ref().map(read));
                    match left.take() {
                        Some((earlier, input)) => kernel.run_after(earlier, read(&input), add, out, scratch),
                        None => kernel.run(read(input), add, out, scratch),
                    }
                }
                Pass::MaxPool { input, stride, .. } => elementwise::max_pool(read(input), *input, *stride, out),
                Pass::AddUpsampled { low, high, .. } => elementwise::add_upsampled(read(low), read(high), output, out),
                Pass::AddGated { gated, gate, add, .. } => {
                    elementwise::add_gated(read(gated), read(gate), read(add), output.channels, out);
                }
                Pass::Mean { input, .. } => elementwise::mean(read(input), out),
            }
            if let Some(joint) = pass.joint() {
                let mut joined = take(&mut buffers[places[joint.output.index]]);
                let add = &buffers[places[joint.add.index]];
                elementwise::join(&buffer, output.channels, add, joint, &mut joined[..joint.output.volume()]);
                buffers[places[joint.output.index]] = joined;
            }
            buffers[places[output.index]] = buffer;
        }
        outputs.iter().map(|map| buffers[places[map.index]][..map.volume()].to_vec()).collect()
    }
}
