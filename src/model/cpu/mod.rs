//! Runs a [`Network`] on one CPU thread, natively and in the browser, with kernels of our own: channels last, packed
//! weights, everything around a convolution fused to it, buffers planned once. Safe code; vectors of four values are
//! SIMD128 in wasm, SSE or NEON natively.

mod convolution;
mod depthwise;
mod elementwise;
mod matrix;
pub(super) mod winograd;

use std::cell::RefCell;
use std::mem::take;

use super::network::{Map, Network, Pass, Plan};
use convolution::Kernel;

/// A network with packed weights and its buffers.
pub struct Engine {
    input: Map,
    outputs: Vec<Map>,
    passes: Vec<Pass>,
    kernels: Vec<Kernel>,
    /// Which buffer holds each map.
    places: Vec<usize>,
    memory: RefCell<Memory>,
}

#[derive(Default)]
struct Memory {
    buffers: Vec<Vec<f32>>,
    scratch: Vec<f32>,
}

impl Engine {
    /// Packs the weights and plans the buffers.
    pub fn new(network: &Network) -> Self {
        let mut kernels = Vec::with_capacity(network.convolutions.len());
        for pass in &network.passes {
            if let Pass::Convolution { convolution, input, .. } = pass {
                kernels.push(Kernel::new(&network.convolutions[*convolution], *input));
            }
        }
        let Plan { places, sizes } = network.plan_buffers();
        let buffers = sizes.into_iter().map(|size| vec![0.0; size]).collect();
        Self {
            input: network.input,
            outputs: network.outputs.clone(),
            passes: network.passes.clone(),
            kernels,
            places,
            memory: RefCell::new(Memory { buffers, scratch: Vec::new() }),
        }
    }

    /// Runs it on one image, planes `[channels, side, side]`, and returns its outputs, `[side, side, channels]` each.
    ///
    /// # Panics
    /// If the image has another size than the network's input.
    pub fn run(&self, planes: &[f32]) -> Vec<Vec<f32>> {
        let mut memory = self.memory.borrow_mut();
        let Memory { buffers, scratch } = &mut *memory;
        assert_eq!(planes.len(), self.input.volume(), "an image of the network's size");
        let (channels, pixels) = (self.input.channels, self.input.side * self.input.side);
        for (channel, plane) in planes.chunks_exact(pixels).enumerate() {
            let values = buffers[self.places[0]][channel..].iter_mut().step_by(channels);
            values.zip(plane).for_each(|(value, input)| *value = *input);
        }
        for pass in &self.passes {
            let output = pass.output();
            let mut buffer = take(&mut buffers[self.places[output.index]]);
            let read = |map: &Map| &buffers[self.places[map.index]][..map.volume()];
            let out = &mut buffer[..output.volume()];
            match pass {
                Pass::Convolution { convolution, input, add, .. } => {
                    self.kernels[*convolution].run(read(input), add.as_ref().map(read), out, scratch);
                }
                Pass::MaxPool { input, stride, .. } => elementwise::max_pool(read(input), *input, *stride, out),
                Pass::AddUpsampled { low, high, .. } => elementwise::add_upsampled(read(low), read(high), output, out),
                Pass::AddGated { gated, gate, add, .. } => {
                    elementwise::add_gated(read(gated), read(gate), read(add), output.channels, out);
                }
                Pass::Mean { input, .. } => elementwise::mean(read(input), out),
            }
            if let Some(joint) = pass.joint() {
                let mut joined = take(&mut buffers[self.places[joint.output.index]]);
                let add = &buffers[self.places[joint.add.index]];
                elementwise::join(&buffer, output.channels, add, joint, &mut joined[..joint.output.volume()]);
                buffers[self.places[joint.output.index]] = joined;
            }
            buffers[self.places[output.index]] = buffer;
        }
        self.outputs.iter().map(|map| buffers[self.places[map.index]][..map.volume()].to_vec()).collect()
    }
}

#[cfg(test)]
mod tests;
