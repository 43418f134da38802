// Winograd's second step: for each of the 36 points the product of [tiles, inputs] and [inputs, outputs].

@group(0) @binding(1) var<storage, read> patches: array<vec4<f32>>;
// [36, inputs, output quads], the inputs padded to a multiple of 16 with zeros.
@group(0) @binding(2) var<storage, read> filters: array<vec4<f32>>;
// [36, tiles, output quads]
@group(0) @binding(3) var<storage, read_write> products: array<vec4<f32>>;

fn tiles() -> u32 {
  let across = (params.output_side + 3u) / 4u;
  return across * across;
}

fn depths() -> u32 {
  return params.input_quads;
}

fn load(tile: u32, depth: u32) -> vec4<f32> {
  if tile >= tiles() || depth >= params.input_quads {
    return vec4<f32>();
  }
  return patches[(layer * tiles() + tile) * params.input_quads + depth];
}

fn store(tile: u32, quad: u32, sum: vec4<f32>) {
  if tile < tiles() && quad < params.output_quads {
    products[(layer * tiles() + tile) * params.output_quads + quad] = sum;
  }
}
