// Operands of gemm.wgsl for a convolution: the left one is [pixels, kernel_size² · in_channels], gathered from the input while
// it is loaded (implicit im2col); the right one is the weights.

@group(0) @binding(1) var<storage, read> input: array<Stored>;
// [kernel_size² · in_channels, output vectors], the rows padded with zeros to a multiple of 16.
@group(0) @binding(2) var<storage, read> weights: array<Stored>;
@group(0) @binding(3) var<storage, read> constants: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> residual: array<Stored>;
@group(0) @binding(5) var<storage, read> concat_residual: array<Stored>;
@group(0) @binding(6) var<storage, read_write> output: array<Stored>;
@group(0) @binding(7) var<storage, read_write> concat: array<Stored>;

fn k_vectors() -> u32 {
  return params.kernel_size * params.kernel_size * params.input_vectors;
}

fn load(pixel: u32, k: u32) -> vec4<f32> {
  let tap = k / params.input_vectors;
  let vector = k % params.input_vectors;
  // Unsigned: coordinates in the padding before the first pixel wrap around to values larger than any height or width.
  let y = (pixel / params.output_width) * params.stride - params.padding + tap / params.kernel_size;
  let x = (pixel % params.output_width) * params.stride - params.padding + tap % params.kernel_size;
  if y >= params.input_height || x >= params.input_width || tap >= params.kernel_size * params.kernel_size
    || pixel >= output_pixels() {
    return vec4<f32>();
  }
  return prologue(vec4<f32>(input[(y * params.input_width + x) * params.input_vectors + vector]), vector);
}

fn store(pixel: u32, vector: u32, sum: vec4<f32>) {
  if pixel < output_pixels() && vector < params.output_vectors {
    epilogue(pixel, vector, sum);
  }
}
