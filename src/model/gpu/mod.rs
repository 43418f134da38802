//! Runs a [`Network`] on a graphics card, through WebGPU in the browser and Vulkan, Metal or Direct3D natively, with
//! kernels of our own: channels last in fours, everything around a convolution fused to it. Weights are uploaded
//! once, buffers planned once and every dispatch of a frame is prepared while loading; a frame is one submission,
//! and only the network's outputs are read back.

mod build;
mod card;
mod convolution;
mod shaders;

use burn_wgpu::wgpu;

use super::ModelError;
use super::network::Map;
pub use card::{Card, Precision};

/// A network with its weights on a graphics card.
pub struct Engine {
    card: Card,
    input: Map,
    outputs: Vec<Map>,
    steps: Vec<Step>,
    input_buffer: wgpu::Buffer,
    /// The outputs' buffers, in order.
    output_buffers: Vec<wgpu::Buffer>,
}

/// A dispatch.
struct Step {
    pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
    workgroups: [u32; 3],
}

/// Channels are stored in fours.
const QUAD: usize = 4;

/// How many fours there are of `channels`.
fn quads(channels: usize) -> usize {
    channels.div_ceil(QUAD)
}

/// How many values a map has on the card.
fn stored(map: &Map) -> usize {
    map.side * map.side * quads(map.channels) * QUAD
}

impl Engine {
    fn bytes(&self, map: &Map) -> u64 {
        self.card.precision.bytes(stored(map))
    }

    /// How many kernels are dispatched for one image.
    pub fn dispatches(&self) -> usize {
        self.steps.len()
    }

    /// Runs it on `planes` `[count, channels, side, side]` and returns its outputs, `[count, side, side, channels]` each.
    ///
    /// # Errors
    /// [`ModelError::Device`] if the card fails.
    pub async fn run(&self, planes: &[f32]) -> Result<Vec<Vec<f32>>, ModelError> {
        let images = planes.chunks_exact(self.input.volume());
        let unit: u64 = self.outputs.iter().map(|map| self.bytes(map)).sum();
        let readback = self.card.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("outputs"),
            size: unit * images.len() as u64,
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        for (index, image) in images.enumerate() {
            self.submit(image, &readback, unit * index as u64);
        }
        let values = self.card.read(&readback).await;
        // At once: browsers would keep it until they collect garbage.
        readback.destroy();
        let values = values?;
        let mut results = vec![Vec::new(); self.outputs.len()];
        let mut rest = values.as_slice();
        while !rest.is_empty() {
            for (map, result) in self.outputs.iter().zip(&mut results) {
                let (values, others) = rest.split_at(stored(map));
                let pixels = values.chunks_exact(map.channels.next_multiple_of(QUAD));
                pixels.for_each(|pixel| result.extend_from_slice(&pixel[..map.channels]));
                rest = others;
            }
        }
        Ok(results)
    }

    /// Sends an image on its way; its outputs go to `readback`, from `offset` on.
    fn submit(&self, planes: &[f32], readback: &wgpu::Buffer, mut offset: u64) {
        let pixels = self.input.side * self.input.side;
        let mut image = vec![0.0_f32; stored(&self.input)];
        for (channel, plane) in planes.chunks_exact(pixels).enumerate() {
            let values = image[channel..].iter_mut().step_by(self.input.channels.next_multiple_of(QUAD));
            values.zip(plane).for_each(|(value, input)| *value = *input);
        }
        self.card.queue.write_buffer(&self.input_buffer, 0, &self.card.precision.encode(&image));
        let mut encoder = self.card.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            for step in &self.steps {
                pass.set_pipeline(&step.pipeline);
                pass.set_bind_group(0, &step.bindings, &[]);
                let [x, y, z] = step.workgroups;
                pass.dispatch_workgroups(x, y, z);
            }
        }
        for (map, buffer) in self.outputs.iter().zip(&self.output_buffers) {
            encoder.copy_buffer_to_buffer(buffer, 0, readback, offset, self.bytes(map));
            offset += self.bytes(map);
        }
        self.card.queue.submit([encoder.finish()]);
    }
}
