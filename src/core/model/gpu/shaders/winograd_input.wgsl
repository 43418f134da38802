// Winograd's F(4×4, 3×3), first step: Bᵀ d B for the 6×6 patch d of each tile of 4×4 results. One invocation transforms one
// vector of channels of one patch.

@group(0) @binding(1) var<storage, read> input: array<Stored>;
@group(0) @binding(2) var<storage, read> constants: array<vec4<f32>>;
// [36, tiles, input vectors]
@group(0) @binding(3) var<storage, read_write> patches: array<vec4<f32>>;

fn pixel(y: u32, x: u32, vector: u32) -> vec4<f32> {
  if y >= params.input_height || x >= params.input_width {
    return vec4<f32>();
  }
  return prologue(vec4<f32>(input[(y * params.input_width + x) * params.input_vectors + vector]), vector);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let tiles_across = (params.output_width + 3u) / 4u;
  let tiles = tiles_across * ((params.output_height + 3u) / 4u);
  let vector = id.x % params.input_vectors;
  let tile = id.x / params.input_vectors;
  if tile >= tiles {
    return;
  }
  // The padding: one pixel before the results. Unsigned, so that −1 wraps around to a value larger than any height or width.
  let top = tile / tiles_across * 4u - 1u;
  let left = tile % tiles_across * 4u - 1u;
  let first = tile * params.input_vectors + vector;
  let pitch = tiles * params.input_vectors;
  $TRANSFORM
}
