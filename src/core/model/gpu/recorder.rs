//! Records dispatches once, to be submitted again and again.

use std::collections::HashMap;

use burn_wgpu::wgpu;

use super::layout::LANES;
use super::parameters::Parameters;
use super::{GpuContext, Precision, shaders};

/// Bytes between the parameters of two dispatches: WebGPU's default alignment of a uniform's offset.
const PARAMETERS_PITCH: u64 = 256;

/// Invocations of a workgroup.
pub(super) const WORKGROUP: usize = 64;

/// A recorded dispatch.
pub(super) struct Dispatch {
    pub pipeline: wgpu::ComputePipeline,
    pub bind_group: wgpu::BindGroup,
    pub workgroups: [u32; 3],
}

/// Creates buffers and pipelines, and records dispatches.
pub(super) struct Recorder<'a> {
    context: &'a GpuContext,
    /// The uniforms of all dispatches.
    parameters: wgpu::Buffer,
    /// By source: equal kernels are compiled once.
    pipelines: HashMap<String, wgpu::ComputePipeline>,
    dispatches: Vec<Dispatch>,
}

impl<'a> Recorder<'a> {
    /// For at most `capacity` dispatches.
    pub fn new(context: &'a GpuContext, capacity: usize) -> Self {
        let parameters = context.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("parameters"),
            size: PARAMETERS_PITCH * capacity as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Self { context, parameters, pipelines: HashMap::new(), dispatches: Vec::with_capacity(capacity) }
    }

    /// How feature maps are stored.
    pub fn precision(&self) -> Precision {
        self.context.precision
    }

    /// A buffer that kernels read and write.
    pub fn storage(&self, label: &str, elements: usize, precision: Precision) -> wgpu::Buffer {
        self.context.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: precision.bytes(elements),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        })
    }

    /// A buffer with constant `values`.
    pub fn upload(&self, label: &str, values: &[f32], precision: Precision) -> wgpu::Buffer {
        let bytes = precision.encode(values);
        let buffer = self.context.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: bytes.len() as u64,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.context.queue.write_buffer(&buffer, 0, &bytes);
        buffer
    }

    /// Records a dispatch of `kernel` with one invocation for each vector of `elements` stored values.
    pub fn elementwise(&mut self, kernel: &str, parameters: Parameters, buffers: &[wgpu::Buffer], elements: usize) {
        self.dispatch(kernel, parameters, buffers, [(elements / LANES).div_ceil(WORKGROUP), 1, 1]);
    }

    /// Records a dispatch of `kernel`: `parameters` at binding 0, `buffers` from binding 1 on.
    pub fn dispatch(&mut self, kernel: &str, parameters: Parameters, buffers: &[wgpu::Buffer], workgroups: [usize; 3]) {
        let device = &self.context.device;
        let source = shaders::with_declarations(kernel, self.context.precision);
        let pipeline = self.pipelines.entry(source).or_insert_with_key(|source| {
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Wgsl(source.into()),
            });
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: None,
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            })
        });
        let offset = PARAMETERS_PITCH * self.dispatches.len() as u64;
        let parameters = parameters.to_bytes();
        self.context.queue.write_buffer(&self.parameters, offset, &parameters);
        let uniform = wgpu::BufferBinding {
            buffer: &self.parameters,
            offset,
            size: wgpu::BufferSize::new(parameters.len() as u64),
        };
        let resources = std::iter::once(wgpu::BindingResource::Buffer(uniform));
        let resources = resources.chain(buffers.iter().map(wgpu::Buffer::as_entire_binding));
        let entries: Vec<wgpu::BindGroupEntry> =
            (0..).zip(resources).map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }).collect();
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let workgroups = workgroups.map(|count| count as u32);
        self.dispatches.push(Dispatch { pipeline: pipeline.clone(), bind_group, workgroups });
    }

    /// What was recorded, in order.
    pub fn finish(self) -> Vec<Dispatch> {
        self.dispatches
    }
}
