// The product of two matrices, [pixels, depth] and [depth, outputs], as often as there are layers. A workgroup of 8×8
// computes ROWS·8 pixels times COLUMNS·8 quads of outputs, 16 products deep at a time. What the factors are, and where the
// product goes, is in the file that this one follows: load, store and depths.

// Quads of depth in a step.
const DEPTH = 4u;
const PIXELS = 8u * ROWS;
const QUADS = 8u * COLUMNS;
// One quad more than there is, so that rows do not all start in the same memory bank.
const PITCH = DEPTH + 1u;

var<workgroup> left: array<vec4<f32>, PIXELS * PITCH>;
var<workgroup> right: array<vec4<f32>, 4u * DEPTH * QUADS>;

// Which of several products this is.
var<private> layer: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first_pixel = group.x * PIXELS;
  let first_quad = group.y * QUADS;
  let row = lane / 8u;
  let column = lane % 8u;
  layer = group.z;
  let steps = (depths() + DEPTH - 1u) / DEPTH;
  $DECLARE_SUMS
  for (var step = 0u; step < steps; step++) {
    for (var pixel = lane / DEPTH; pixel < PIXELS; pixel += 64u / DEPTH) {
      left[pixel * PITCH + lane % DEPTH] = load(first_pixel + pixel, step * DEPTH + lane % DEPTH);
    }
    for (var index = lane; index < 4u * DEPTH * QUADS; index += 64u) {
      let quad = min(first_quad + index % QUADS, params.output_quads - 1u);
      right[index] = vec4<f32>(filters[((layer * steps + step) * 4u * DEPTH + index / QUADS) * params.output_quads + quad]);
    }
    workgroupBarrier();
    for (var depth = 0u; depth < DEPTH; depth++) {
      $MULTIPLY
    }
    workgroupBarrier();
  }
  $WRITE_SUMS
}
