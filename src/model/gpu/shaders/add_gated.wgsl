// A map plus another one times a gate, whose first channel counts for all channels of a pixel.

@group(0) @binding(1) var<storage, read> gated: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> gate: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> added: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let place = id.x / params.output_quads;
  if place >= params.output_side * params.output_side {
    return;
  }
  output[id.x] = added[id.x] + gated[id.x] * gate[place].x;
}
