// A map plus another one times a gate, whose first channel counts for all channels of a pixel.

@group(0) @binding(1) var<storage, read> gated: array<Stored>;
@group(0) @binding(2) var<storage, read> gate: array<Stored>;
@group(0) @binding(3) var<storage, read> added: array<Stored>;
@group(0) @binding(4) var<storage, read_write> output: array<Stored>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let place = id.x / params.output_quads;
  if place >= params.output_side * params.output_side {
    return;
  }
  output[id.x] = Stored(vec4<f32>(added[id.x]) + vec4<f32>(gated[id.x]) * f32(gate[place].x));
}
