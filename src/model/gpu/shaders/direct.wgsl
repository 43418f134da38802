// A convolution as the product of [pixels, filter's pixels × channels] and [filter's pixels × channels, outputs].

@group(0) @binding(1) var<storage, read> input: array<Stored>;
// [depth, output quads], the depth padded to a multiple of 16 with zeros.
@group(0) @binding(2) var<storage, read> filters: array<Stored>;
@group(0) @binding(3) var<storage, read> channels: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> added: array<Stored>;
@group(0) @binding(5) var<storage, read> joint_added: array<Stored>;
@group(0) @binding(6) var<storage, read_write> output: array<Stored>;
@group(0) @binding(7) var<storage, read_write> joint: array<Stored>;

fn depths() -> u32 {
  return params.size * params.size * params.input_quads;
}

fn load(pixel: u32, depth: u32) -> vec4<f32> {
  let tap = depth / params.input_quads;
  let quad = depth % params.input_quads;
  // Before the first pixel these wrap around to more than any side.
  let y = (pixel / params.output_side) * params.stride - params.padding + tap / params.size;
  let x = (pixel % params.output_side) * params.stride - params.padding + tap % params.size;
  if y >= params.input_side || x >= params.input_side || tap >= params.size * params.size
    || pixel >= params.output_side * params.output_side {
    return vec4<f32>();
  }
  return prepare(vec4<f32>(input[(y * params.input_side + x) * params.input_quads + quad]), quad);
}

fn store(pixel: u32, quad: u32, sum: vec4<f32>) {
  if pixel < params.output_side * params.output_side && quad < params.output_quads {
    finish(pixel, quad, sum);
  }
}
