// Operands of gemm.wgsl for Winograd's second step: for each of the 36 points the product of [tiles, in_channels] and
// [in_channels, out_channels].

@group(0) @binding(1) var<storage, read> patches: array<vec4<f32>>;
// [36, in_channels, output vectors], the input channels padded with zeros to a multiple of 16.
@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;
// [36, tiles, output vectors]
@group(0) @binding(3) var<storage, read_write> products: array<vec4<f32>>;

fn tiles() -> u32 {
  return ((params.output_height + 3u) / 4u) * ((params.output_width + 3u) / 4u);
}

fn k_vectors() -> u32 {
  return params.input_vectors;
}

fn load(tile: u32, k: u32) -> vec4<f32> {
  if tile >= tiles() || k >= params.input_vectors {
    return vec4<f32>();
  }
  return patches[(product * tiles() + tile) * params.input_vectors + k];
}

fn store(tile: u32, vector: u32, sum: vec4<f32>) {
  if tile < tiles() && vector < params.output_vectors {
    products[(product * tiles() + tile) * params.output_vectors + vector] = sum;
  }
}
