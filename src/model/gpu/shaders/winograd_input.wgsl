// Winograd's F(4×4, 3×3), first step: Bᵀ d B for the 6×6 pixels d of each tile.

@group(0) @binding(1) var<storage, read> input: array<Stored>;
@group(0) @binding(2) var<storage, read> channels: array<vec4<f32>>;
// [36, tiles, quads]
@group(0) @binding(3) var<storage, read_write> patches: array<vec4<f32>>;

fn pixel(y: u32, x: u32, quad: u32) -> vec4<f32> {
  if y >= params.input_side || x >= params.input_side {
    return vec4<f32>();
  }
  return prepare(vec4<f32>(input[(y * params.input_side + x) * params.input_quads + quad]), quad);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let across = (params.output_side + 3u) / 4u;
  let tiles = across * across;
  let quad = id.x % params.input_quads;
  let tile = id.x / params.input_quads;
  if tile >= tiles {
    return;
  }
  // Before the first pixel these wrap around to more than any side.
  let top = tile / across * 4u - 1u;
  let left = tile % across * 4u - 1u;
  let first = tile * params.input_quads + quad;
  let pitch = tiles * params.input_quads;
  $TRANSFORM
}
