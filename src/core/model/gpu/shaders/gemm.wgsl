// GEMM: one or several products of [rows, k] and [k, columns], with k and columns counted in vectors of four. What the operands
// are is in the file before this one: load, store, k_vectors and `weights`.
//
// Workgroup (x, y, z) computes a tile of 8·ROWS rows from 8·ROWS·x on, times 8·VECTORS vectors from 8·VECTORS·y on, of product
// z. Its 8×8 invocations each keep ROWS × VECTORS sums in registers: invocation (i, j) has the rows i, i + 8, … and the
// vectors j, j + 8, … of the tile. In each step the workgroup loads 16 values of k of both operands into workgroup memory.
//
// The barriers are in uniform control flow: the number of steps depends on `params` alone, and no invocation returns early;
// those beyond the product load zeros (or the last column again) and store nothing.

// Vectors of k in a step.
const K_VECTORS = 4u;
const TILE_ROWS = 8u * ROWS;
const TILE_VECTORS = 8u * VECTORS;
// One more than there are, so that rows do not all begin in the same bank of workgroup memory.
const PITCH = K_VECTORS + 1u;

// [TILE_ROWS, PITCH]
var<workgroup> left: array<vec4<f32>, TILE_ROWS * PITCH>;
// [4 · K_VECTORS, TILE_VECTORS]
var<workgroup> right: array<vec4<f32>, 4u * K_VECTORS * TILE_VECTORS>;

// Which of several products this is.
var<private> product: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
  let first_row = group.x * TILE_ROWS;
  let first_vector = group.y * TILE_VECTORS;
  let row = invocation / 8u;
  let column = invocation % 8u;
  product = group.z;
  let steps = (k_vectors() + K_VECTORS - 1u) / K_VECTORS;
  $DECLARE_SUMS
  for (var step = 0u; step < steps; step++) {
    for (var index = invocation / K_VECTORS; index < TILE_ROWS; index += 64u / K_VECTORS) {
      let k = invocation % K_VECTORS;
      left[index * PITCH + k] = load(first_row + index, step * K_VECTORS + k);
    }
    for (var index = invocation; index < 4u * K_VECTORS * TILE_VECTORS; index += 64u) {
      let vector = min(first_vector + index % TILE_VECTORS, params.output_vectors - 1u);
      let k = (product * steps + step) * 4u * K_VECTORS + index / TILE_VECTORS;
      right[index] = vec4<f32>(weights[k * params.output_vectors + vector]);
    }
    workgroupBarrier();
    for (var depth = 0u; depth < K_VECTORS; depth++) {
      $MULTIPLY
    }
    workgroupBarrier();
  }
  $WRITE_SUMS
}
