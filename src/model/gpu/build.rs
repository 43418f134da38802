//! Prepares every dispatch of a network.

use std::collections::HashMap;

use burn_wgpu::wgpu;

use super::convolution::winograd_volumes;
use super::{Card, Engine, Precision, QUAD, Step, quads, shaders, stored};
use crate::model::network::{Joint, Map, Network, Pass};

/// Bytes between two kernels' parameters: WebGPU's default limit for a binding's place.
const PARAMETERS_PITCH: u64 = 256;

/// Invocations of a workgroup.
const WORKGROUP: usize = 64;

/// `Params` in `shaders/common.wgsl`.
#[derive(Clone, Copy, Default)]
pub(super) struct Parameters {
    pub input: Option<Map>,
    pub output: Option<Map>,
    pub size: usize,
    pub stride: usize,
    pub padding: usize,
    pub flags: u32,
    pub slope: f32,
    pub joint: Option<Joint>,
}

impl Parameters {
    pub fn new(input: Map, output: Map) -> Self {
        Self { input: Some(input), output: Some(output), slope: 1.0, ..Self::default() }
    }

    fn to_bytes(self) -> Vec<u8> {
        let side = |map: Option<Map>| map.map_or(0, |map| map.side as u32);
        let depth = |map: Option<Map>| map.map_or(0, |map| quads(map.channels) as u32);
        let words = [
            side(self.input),
            depth(self.input),
            side(self.output),
            depth(self.output),
            self.size as u32,
            self.stride as u32,
            self.padding as u32,
            self.flags,
            self.slope.to_bits(),
            depth(self.joint.map(|joint| joint.output)),
            self.joint.map_or(0, |joint| quads(joint.first) as u32),
            0,
        ];
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}

pub(super) struct Builder<'a> {
    pub card: &'a Card,
    pub network: &'a Network,
    pub last_uses: Vec<usize>,
    /// The buffer of each map.
    pub maps: Vec<wgpu::Buffer>,
    parameters: wgpu::Buffer,
    /// Bound where a kernel reads, or writes, nothing.
    pub nothing: [wgpu::Buffer; 2],
    /// Winograd's patches and products.
    pub winograd: [wgpu::Buffer; 2],
    pipelines: HashMap<String, wgpu::ComputePipeline>,
    steps: Vec<Step>,
}

impl Engine {
    /// Uploads the weights, compiles the kernels and plans the buffers.
    pub fn new(network: &Network, card: &Card) -> Self {
        let plan = network.plan_buffers(&network.last_uses());
        // Planned with as many channels as are stored.
        let mut sizes = vec![0; plan.sizes.len()];
        for map in &network.maps {
            let size = &mut sizes[plan.places[map.index]];
            *size = stored(map).max(*size);
        }
        let storage = |size: u64, label| {
            card.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            })
        };
        let buffers: Vec<wgpu::Buffer> = sizes.iter().map(|size| storage(card.precision.bytes(*size), "map")).collect();
        let [patches, products] = winograd_volumes(network);
        let mut builder = Builder {
            card,
            network,
            last_uses: network.last_uses(),
            maps: plan.places.iter().map(|place| buffers[*place].clone()).collect(),
            parameters: card.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("parameters"),
                // At the most three dispatches a pass.
                size: PARAMETERS_PITCH * 3 * network.passes.len() as u64,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            }),
            winograd: [(patches, "patches"), (products, "products")]
                .map(|(volume, label)| storage(Precision::F32.bytes(volume), label)),
            nothing: ["nothing to read", "nothing to write"].map(|label| storage(Precision::F32.bytes(QUAD), label)),
            pipelines: HashMap::new(),
            steps: Vec::with_capacity(network.passes.len()),
        };
        network.passes.iter().for_each(|pass| builder.append(pass));
        Self {
            card: card.clone(),
            input: network.input,
            outputs: network.outputs.clone(),
            input_buffer: builder.maps[network.input.index].clone(),
            output_buffers: network.outputs.iter().map(|map| builder.maps[map.index].clone()).collect(),
            steps: builder.steps,
        }
    }
}

impl Builder<'_> {
    fn append(&mut self, pass: &Pass) {
        let map = |map: &Map| self.maps[map.index].clone();
        let output = pass.output();
        match pass {
            Pass::Convolution { convolution, input, add, joint, .. } => {
                let convolution = &self.network.convolutions[*convolution];
                if convolution.depthwise {
                    self.depthwise(convolution, *input, output);
                } else {
                    self.convolution(convolution, *input, *add, output, *joint);
                }
            }
            Pass::MaxPool { input, stride, .. } => {
                let parameters = Parameters { stride: *stride, ..Parameters::new(*input, output) };
                let buffers = [map(input), map(&output)];
                self.elementwise(shaders::MAX_POOL, parameters, &buffers, stored(&output));
            }
            Pass::AddUpsampled { low, high, .. } => {
                let buffers = [map(low), map(high), map(&output)];
                self.elementwise(shaders::ADD_UPSAMPLED, Parameters::new(*low, output), &buffers, stored(&output));
            }
            Pass::AddGated { gated, gate, add, .. } => {
                let buffers = [map(gated), map(gate), map(add), map(&output)];
                self.elementwise(shaders::ADD_GATED, Parameters::new(*gated, output), &buffers, stored(&output));
            }
            Pass::Mean { input, .. } => {
                let buffers = [map(input), map(&output)];
                self.elementwise(shaders::MEAN, Parameters::new(*input, output), &buffers, stored(&output));
            }
        }
    }

    /// A kernel with one invocation for each quad of `values`.
    pub fn elementwise(&mut self, source: &str, parameters: Parameters, buffers: &[wgpu::Buffer], values: usize) {
        self.step(source, parameters, buffers, [(values / QUAD).div_ceil(WORKGROUP), 1, 1]);
    }

    pub fn step(&mut self, source: &str, parameters: Parameters, buffers: &[wgpu::Buffer], workgroups: [usize; 3]) {
        let device = &self.card.device;
        let pipeline =
            self.pipelines.entry(shaders::complete(source, self.card.precision)).or_insert_with_key(|source| {
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
        let offset = PARAMETERS_PITCH * self.steps.len() as u64;
        let parameters = parameters.to_bytes();
        self.card.queue.write_buffer(&self.parameters, offset, &parameters);
        let uniform = wgpu::BufferBinding {
            buffer: &self.parameters,
            offset,
            size: wgpu::BufferSize::new(parameters.len() as u64),
        };
        let resources = std::iter::once(wgpu::BindingResource::Buffer(uniform));
        let resources = resources.chain(buffers.iter().map(wgpu::Buffer::as_entire_binding));
        let entries: Vec<wgpu::BindGroupEntry> =
            (0..).zip(resources).map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }).collect();
        let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        self.steps.push(Step {
            pipeline: pipeline.clone(),
            bindings,
            workgroups: workgroups.map(|count| count as u32),
        });
    }

    pub fn upload(&self, values: &[f32], precision: Precision) -> wgpu::Buffer {
        let bytes = precision.encode(values);
        let buffer = self.card.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("weights"),
            size: bytes.len() as u64,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.card.queue.write_buffer(&buffer, 0, &bytes);
        buffer
    }
}
