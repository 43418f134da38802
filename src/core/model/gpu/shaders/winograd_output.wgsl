// Winograd's third step: Aᵀ m A of each tile's products m, and the epilogue. One invocation transforms one vector of channels of
// one tile.

// [36, tiles, output vectors]
@group(0) @binding(1) var<storage, read> products: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> constants: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> residual: array<Stored>;
@group(0) @binding(4) var<storage, read> concat_residual: array<Stored>;
@group(0) @binding(5) var<storage, read_write> output: array<Stored>;
@group(0) @binding(6) var<storage, read_write> concat: array<Stored>;

fn store(y: u32, x: u32, vector: u32, sum: vec4<f32>) {
  if y < params.output_height && x < params.output_width {
    epilogue(y * params.output_width + x, vector, sum);
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let tiles_across = (params.output_width + 3u) / 4u;
  let tiles = tiles_across * ((params.output_height + 3u) / 4u);
  let vector = id.x % params.output_vectors;
  let tile = id.x / params.output_vectors;
  if tile >= tiles {
    return;
  }
  let top = tile / tiles_across * 4u;
  let left = tile % tiles_across * 4u;
  let first = tile * params.output_vectors + vector;
  let pitch = tiles * params.output_vectors;
  $TRANSFORM
}
