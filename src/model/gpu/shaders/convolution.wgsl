// A convolution as the product of the matrices [pixels, filter's pixels × channels] and [filter's pixels × channels,
// outputs]. A workgroup of 8×8 computes ROWS·8 pixels times COLUMNS·8 quads of outputs, 16 products deep at a time.

@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;
// [depth, output quads], the depth padded to a multiple of 16 with zeros.
@group(0) @binding(2) var<storage, read> filters: array<vec4<f32>>;
// The bias, [output quads]; then, with AFFINE, scale and shift, [input quads] each.
@group(0) @binding(3) var<storage, read> channels: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> added: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> joint_added: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> output: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> joint: array<vec4<f32>>;

// Quads of depth in a step.
const DEPTH = 4u;
const PIXELS = 8u * ROWS;
const QUADS = 8u * COLUMNS;
// One quad more than there is, so that rows do not all start in the same memory bank.
const PITCH = DEPTH + 1u;

var<workgroup> left: array<vec4<f32>, PIXELS * PITCH>;
var<workgroup> right: array<vec4<f32>, 4u * DEPTH * QUADS>;

fn load(pixel: u32, tap: u32, quad: u32) -> vec4<f32> {
  // Before the first pixel these wrap around to more than any side.
  let y = (pixel / params.output_side) * params.stride - params.padding + tap / params.size;
  let x = (pixel % params.output_side) * params.stride - params.padding + tap % params.size;
  if y >= params.input_side || x >= params.input_side || tap >= params.size * params.size
    || pixel >= params.output_side * params.output_side {
    return vec4<f32>();
  }
  var value = input[(y * params.input_side + x) * params.input_quads + quad];
  if has(AFFINE) {
    let scale = params.output_quads + quad;
    value = value * channels[scale] + channels[scale + params.input_quads];
  }
  if has(RELU) {
    value = max(value, vec4<f32>());
  }
  return value;
}

fn store(pixel: u32, quad: u32, sum: vec4<f32>) {
  if pixel >= params.output_side * params.output_side || quad >= params.output_quads {
    return;
  }
  let index = pixel * params.output_quads + quad;
  var value = sum + channels[quad];
  if has(ADD) {
    value += added[index];
  }
  value = activate(value);
  if has(OUTPUT) {
    output[index] = value;
  }
  if has(JOINT) {
    let index = pixel * params.joint_quads + params.joint_first + quad;
    joint[index] = joint_added[index] + value;
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first_pixel = group.x * PIXELS;
  let first_quad = group.y * QUADS;
  let row = lane / 8u;
  let column = lane % 8u;
  let steps = (params.size * params.size * params.input_quads + DEPTH - 1u) / DEPTH;
  $DECLARE_SUMS
  for (var step = 0u; step < steps; step++) {
    let depth = step * DEPTH + lane % DEPTH;
    let tap = depth / params.input_quads;
    let quad = depth % params.input_quads;
    for (var pixel = lane / DEPTH; pixel < PIXELS; pixel += 64u / DEPTH) {
      left[pixel * PITCH + lane % DEPTH] = load(first_pixel + pixel, tap, quad);
    }
    for (var index = lane; index < 4u * DEPTH * QUADS; index += 64u) {
      let quad = min(first_quad + index % QUADS, params.output_quads - 1u);
      right[index] = filters[(step * 4u * DEPTH + index / QUADS) * params.output_quads + quad];
    }
    workgroupBarrier();
    for (var depth = 0u; depth < DEPTH; depth++) {
      $MULTIPLY
    }
    workgroupBarrier();
  }
  $WRITE_SUMS
}
