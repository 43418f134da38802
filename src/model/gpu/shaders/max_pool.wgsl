// Maxima of 2×2 pixels.

@group(0) @binding(1) var<storage, read> input: array<Stored>;
@group(0) @binding(2) var<storage, read_write> output: array<Stored>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let quads = params.output_quads;
  let place = id.x / quads;
  if place >= params.output_side * params.output_side {
    return;
  }
  let y = (place / params.output_side) * params.stride;
  let x = (place % params.output_side) * params.stride;
  let last = params.input_side - 1u;
  let first = (y * params.input_side + x) * quads + id.x % quads;
  let right = select(quads, 0u, x == last);
  let down = select(params.input_side * quads, 0u, y == last);
  output[id.x] = max(max(input[first], input[first + right]), max(input[first + down], input[first + down + right]));
}
