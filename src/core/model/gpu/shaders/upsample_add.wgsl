// high + resize(low), nearest neighbour ×2. The input of the parameters is `low`, half as high and wide, rounded up.

@group(0) @binding(1) var<storage, read> low: array<Stored>;
@group(0) @binding(2) var<storage, read> high: array<Stored>;
@group(0) @binding(3) var<storage, read_write> output: array<Stored>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let vectors = params.output_vectors;
  let pixel = id.x / vectors;
  if pixel >= output_pixels() {
    return;
  }
  let y = (pixel / params.output_width) / 2u;
  let x = (pixel % params.output_width) / 2u;
  output[id.x] = Stored(vec4<f32>(high[id.x]) + vec4<f32>(low[(y * params.input_width + x) * vectors + id.x % vectors]));
}
