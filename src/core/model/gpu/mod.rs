//! Executes a [`Graph`](super::graph::Graph) on a GPU, through WebGPU in the browser and Vulkan, Metal or Direct3D natively,
//! with kernels of our own: NHWC with channels packed in `vec4` (see [`layout`]), element-wise functions fused to
//! convolutions. Weights are uploaded, buffers planned and dispatches recorded once; a frame is one submission, and only the
//! graph's outputs are read back.

#[cfg(feature = "burn-gpu")]
mod burn_device;
mod context;
mod convolution;
mod layout;
mod lower;
mod parameters;
mod recorder;
mod shaders;

use burn_wgpu::wgpu;

use super::ModelError;
use super::graph::FeatureMap;
pub use context::{GpuContext, Precision};
use layout::{append_unpadded, from_planes, stored_elements};
use recorder::Dispatch;

/// A graph with its weights on a GPU.
pub struct Executor {
    context: GpuContext,
    input: FeatureMap,
    outputs: Vec<FeatureMap>,
    dispatches: Vec<Dispatch>,
    input_buffer: wgpu::Buffer,
    /// In the order of `outputs`.
    output_buffers: Vec<wgpu::Buffer>,
}

impl Executor {
    fn bytes(&self, map: &FeatureMap) -> u64 {
        self.context.precision.bytes(stored_elements(map.shape))
    }

    /// Kernels that are dispatched for one image.
    pub fn dispatches(&self) -> usize {
        self.dispatches.len()
    }

    /// Runs the graph on images, NCHW `[images, channels, height, width]`. Returns its outputs, NHWC `[images, height, width,
    /// channels]` each.
    ///
    /// # Errors
    /// [`ModelError::Device`] if the device fails.
    pub async fn run(&self, planes: &[f32]) -> Result<Vec<Vec<f32>>, ModelError> {
        let images = planes.chunks_exact(self.input.shape.elements());
        let bytes_per_image: u64 = self.outputs.iter().map(|map| self.bytes(map)).sum();
        let readback = self.context.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("outputs"),
            size: bytes_per_image * images.len() as u64,
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        for (index, image) in images.enumerate() {
            self.submit(image, &readback, bytes_per_image * index as u64);
        }
        let values = self.context.read(&readback).await;
        // At once: browsers would keep it until they collect garbage.
        readback.destroy();
        let values = values?;
        let mut results = vec![Vec::new(); self.outputs.len()];
        let mut rest = values.as_slice();
        while !rest.is_empty() {
            for (map, result) in self.outputs.iter().zip(&mut results) {
                let (stored, others) = rest.split_at(stored_elements(map.shape));
                append_unpadded(stored, map.shape, result);
                rest = others;
            }
        }
        Ok(results)
    }

    /// Submits all dispatches for one image; its outputs are copied to `readback`, from byte `offset` on.
    fn submit(&self, planes: &[f32], readback: &wgpu::Buffer, mut offset: u64) {
        let image = from_planes(planes, self.input.shape);
        self.context.queue.write_buffer(&self.input_buffer, 0, &self.context.precision.encode(&image));
        let mut encoder = self.context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            for dispatch in &self.dispatches {
                pass.set_pipeline(&dispatch.pipeline);
                pass.set_bind_group(0, &dispatch.bind_group, &[]);
                let [x, y, z] = dispatch.workgroups;
                pass.dispatch_workgroups(x, y, z);
            }
        }
        for (map, buffer) in self.outputs.iter().zip(&self.output_buffers) {
            encoder.copy_buffer_to_buffer(buffer, 0, readback, offset, self.bytes(map));
            offset += self.bytes(map);
        }
        self.context.queue.submit([encoder.finish()]);
    }
}
