// Maps are stored as `Stored`, vec4<f32> or vec4<f16>, which is defined before this; sums are always f32.

// What every kernel is told. Maps are [side, side, quads] of four channels each.
struct Params {
  input_side: u32,
  input_quads: u32,
  output_side: u32,
  output_quads: u32,
  // Of a convolution or a pooling: pixels on each side of the filter, between two of its places, and of padding.
  size: u32,
  stride: u32,
  padding: u32,
  flags: u32,
  // Negative results are multiplied by this.
  slope: f32,
  // Where a convolution's result goes besides its output.
  joint_quads: u32,
  joint_first: u32,
  unused: u32,
}

const AFFINE = 1u;
const RELU = 2u;
const ADD = 4u;
const OUTPUT = 8u;
const JOINT = 16u;

@group(0) @binding(0) var<uniform> params: Params;

fn has(flag: u32) -> bool {
  return (params.flags & flag) != 0u;
}

fn activate(value: vec4<f32>) -> vec4<f32> {
  return select(value * params.slope, value, value >= vec4<f32>());
}
