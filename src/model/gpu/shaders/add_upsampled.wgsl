// A map plus one half as large, each pixel of which counts for 2×2.

@group(0) @binding(1) var<storage, read> low: array<Stored>;
@group(0) @binding(2) var<storage, read> high: array<Stored>;
@group(0) @binding(3) var<storage, read_write> output: array<Stored>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let quads = params.output_quads;
  let place = id.x / quads;
  if place >= params.output_side * params.output_side {
    return;
  }
  let y = (place / params.output_side) / 2u;
  let x = (place % params.output_side) / 2u;
  output[id.x] = Stored(vec4<f32>(high[id.x]) + vec4<f32>(low[(y * params.input_side + x) * quads + id.x % quads]));
}
