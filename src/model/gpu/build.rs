//! Prepares every dispatch of a network.

use std::collections::HashMap;

use burn_wgpu::wgpu;

use super::shaders::{self, Tile};
use super::{Card, Engine, QUAD, Step, bytes, stored};
use crate::model::network::{Activation, Convolution, Joint, Map, Network, Pass};

/// Bytes between two kernels' parameters: WebGPU's default limit for a binding's place.
const PARAMETERS_PITCH: u64 = 256;

/// Invocations of a workgroup.
const WORKGROUP: usize = 64;

/// Large tiles for maps that have enough pixels to give every core of a card a tile.
const LARGE: Tile = Tile { rows: 8, columns: 2 };
const SMALL: Tile = Tile { rows: 4, columns: 1 };

/// The most pixels that small tiles are for.
const SMALL_MAP: usize = 16 * 16;

/// `Params` in `shaders/common.wgsl`.
#[derive(Clone, Copy, Default)]
struct Parameters {
    input: Option<Map>,
    output: Option<Map>,
    size: usize,
    stride: usize,
    padding: usize,
    flags: u32,
    slope: f32,
    joint: Option<Joint>,
}

const AFFINE: u32 = 1;
const RELU: u32 = 2;
const ADD: u32 = 4;
const OUTPUT: u32 = 8;
const JOINT: u32 = 16;

fn quads(channels: usize) -> usize {
    channels.div_ceil(QUAD)
}

impl Parameters {
    fn new(input: Map, output: Map) -> Self {
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

struct Builder<'a> {
    card: &'a Card,
    network: &'a Network,
    last_uses: Vec<usize>,
    /// The buffer of each map.
    maps: Vec<wgpu::Buffer>,
    parameters: wgpu::Buffer,
    /// Bound where a kernel reads, or writes, nothing.
    nothing: [wgpu::Buffer; 2],
    pipelines: HashMap<String, wgpu::ComputePipeline>,
    steps: Vec<Step>,
}

impl Engine {
    /// Uploads the weights, compiles the kernels and plans the buffers.
    pub fn new(network: &Network, card: &Card) -> Self {
        let plan = network.plan_buffers();
        // Planned with as many channels as are stored.
        let mut sizes = vec![0; plan.sizes.len()];
        for map in &network.maps {
            let size = &mut sizes[plan.places[map.index]];
            *size = stored(map).max(*size);
        }
        let storage = |size: usize, label| {
            card.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: bytes(size),
                usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            })
        };
        let buffers: Vec<wgpu::Buffer> = sizes.iter().map(|size| storage(*size, "map")).collect();
        let mut builder = Builder {
            card,
            network,
            last_uses: network.last_uses(),
            maps: plan.places.iter().map(|place| buffers[*place].clone()).collect(),
            parameters: card.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("parameters"),
                size: PARAMETERS_PITCH * network.passes.len() as u64,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            }),
            nothing: [storage(QUAD, "nothing to read"), storage(QUAD, "nothing to write")],
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
                self.elementwise(shaders::max_pool(), parameters, &buffers, stored(&output));
            }
            Pass::AddUpsampled { low, high, .. } => {
                let buffers = [map(low), map(high), map(&output)];
                self.elementwise(shaders::add_upsampled(), Parameters::new(*low, output), &buffers, stored(&output));
            }
            Pass::AddGated { gated, gate, add, .. } => {
                let buffers = [map(gated), map(gate), map(add), map(&output)];
                self.elementwise(shaders::add_gated(), Parameters::new(*gated, output), &buffers, stored(&output));
            }
            Pass::Mean { input, .. } => {
                let buffers = [map(input), map(&output)];
                self.elementwise(shaders::mean(), Parameters::new(*input, output), &buffers, stored(&output));
            }
        }
    }

    fn convolution(&mut self, c: &Convolution, input: Map, add: Option<Map>, output: Map, joint: Option<Joint>) {
        let area = c.size * c.size;
        let (depth, width) = (input.channels.next_multiple_of(QUAD), c.outputs.next_multiple_of(QUAD));
        // The kernel reads the filters 16 rows at a time.
        let mut filters = vec![0.0; (area * depth).next_multiple_of(16) * width];
        for (index, filter) in c.weight.chunks_exact(area).enumerate() {
            let (output, channel) = (index / input.channels, index % input.channels);
            for (tap, value) in filter.iter().enumerate() {
                filters[(tap * depth + channel) * width + output] = *value;
            }
        }
        let mut channels = padded(&c.bias);
        let mut flags = 0;
        if let Some((scale, shift)) = &c.prologue.affine {
            channels.extend(padded(scale));
            channels.extend(padded(shift));
            flags |= AFFINE;
        }
        for (flag, is_set) in [
            (RELU, c.prologue.relu),
            (ADD, add.is_some()),
            (OUTPUT, self.last_uses[output.index] > 0),
            (JOINT, joint.is_some()),
        ] {
            flags |= if is_set { flag } else { 0 };
        }
        let parameters = Parameters {
            size: c.size,
            stride: c.stride,
            padding: c.padding.0,
            flags,
            slope: slope(c.activation),
            joint,
            ..Parameters::new(input, output)
        };
        let pixels = output.side * output.side;
        let tile = if pixels <= SMALL_MAP { SMALL } else { LARGE };
        let read = |map: Option<Map>| map.map_or(&self.nothing[0], |map| &self.maps[map.index]).clone();
        let buffers = [
            read(Some(input)),
            self.upload(&filters),
            self.upload(&channels),
            read(add),
            read(joint.map(|joint| joint.add)),
            self.maps[output.index].clone(),
            joint.map_or(&self.nothing[1], |joint| &self.maps[joint.output.index]).clone(),
        ];
        let workgroups = [pixels.div_ceil(8 * tile.rows), (width / QUAD).div_ceil(8 * tile.columns)];
        self.step(shaders::convolution(tile), parameters, &buffers, workgroups);
    }

    fn depthwise(&mut self, c: &Convolution, input: Map, output: Map) {
        let area = c.size * c.size;
        let depth = input.channels.next_multiple_of(QUAD);
        let mut filters = vec![0.0; area * depth];
        for (channel, filter) in c.weight.chunks_exact(area).enumerate() {
            filter.iter().enumerate().for_each(|(tap, value)| filters[tap * depth + channel] = *value);
        }
        filters.extend(padded(&c.bias));
        let parameters = Parameters {
            size: c.size,
            stride: c.stride,
            padding: c.padding.0,
            flags: if c.prologue.relu { RELU } else { 0 },
            slope: slope(c.activation),
            ..Parameters::new(input, output)
        };
        let buffers = [self.maps[input.index].clone(), self.upload(&filters), self.maps[output.index].clone()];
        self.elementwise(shaders::depthwise(), parameters, &buffers, stored(&output));
    }

    /// A kernel with one invocation for each quad of `values`.
    fn elementwise(&mut self, source: String, parameters: Parameters, buffers: &[wgpu::Buffer], values: usize) {
        self.step(source, parameters, buffers, [(values / QUAD).div_ceil(WORKGROUP), 1]);
    }

    fn step(&mut self, source: String, parameters: Parameters, buffers: &[wgpu::Buffer], workgroups: [usize; 2]) {
        let device = &self.card.device;
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

    fn upload(&self, values: &[f32]) -> wgpu::Buffer {
        let buffer = self.card.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("weights"),
            size: bytes(values.len()),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.card.write(&buffer, values);
        buffer
    }
}

/// What a negative result is multiplied by.
fn slope(activation: Activation) -> f32 {
    match activation {
        Activation::None => 1.0,
        Activation::Relu => 0.0,
        Activation::LeakyRelu(slope) => slope,
    }
}

/// With zeros up to a multiple of four.
fn padded(values: &[f32]) -> Vec<f32> {
    let mut values = values.to_vec();
    values.resize(values.len().next_multiple_of(QUAD), 0.0);
    values
}
