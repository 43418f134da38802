// Winograd's third step: Aᵀ m A of each tile's products m.

// [36, tiles, quads]
@group(0) @binding(1) var<storage, read> products: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> channels: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> added: array<Stored>;
@group(0) @binding(4) var<storage, read> joint_added: array<Stored>;
@group(0) @binding(5) var<storage, read_write> output: array<Stored>;
@group(0) @binding(6) var<storage, read_write> joint: array<Stored>;

fn store(y: u32, x: u32, quad: u32, sum: vec4<f32>) {
  if y < params.output_side && x < params.output_side {
    finish(y * params.output_side + x, quad, sum);
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let across = (params.output_side + 3u) / 4u;
  let tiles = across * across;
  let quad = id.x % params.output_quads;
  let tile = id.x / params.output_quads;
  if tile >= tiles {
    return;
  }
  let top = tile / across * 4u;
  let left = tile % across * 4u;
  let first = tile * params.output_quads + quad;
  let pitch = tiles * params.output_quads;
  $TRANSFORM
}
