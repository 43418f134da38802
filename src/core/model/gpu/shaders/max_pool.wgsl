// Maximum over 2×2 windows, `stride` pixels apart. A pixel that is cut off at the end is replaced by its neighbour, which
// changes no maximum.

@group(0) @binding(1) var<storage, read> input: array<Stored>;
@group(0) @binding(2) var<storage, read_write> output: array<Stored>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let vectors = params.output_vectors;
  let pixel = id.x / vectors;
  if pixel >= output_pixels() {
    return;
  }
  let y = (pixel / params.output_width) * params.stride;
  let x = (pixel % params.output_width) * params.stride;
  let first = (y * params.input_width + x) * vectors + id.x % vectors;
  let right = select(vectors, 0u, x + 1u == params.input_width);
  let down = select(params.input_width * vectors, 0u, y + 1u == params.input_height);
  output[id.x] = max(max(input[first], input[first + right]), max(input[first + down], input[first + down + right]));
}
