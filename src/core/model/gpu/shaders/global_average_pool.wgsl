// The mean over all pixels. One invocation sums one vector of channels over the whole feature map.

@group(0) @binding(1) var<storage, read> input: array<Stored>;
@group(0) @binding(2) var<storage, read_write> output: array<Stored>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let vectors = params.output_vectors;
  if id.x >= vectors {
    return;
  }
  let pixels = params.input_height * params.input_width;
  var sum = vec4<f32>();
  for (var pixel = 0u; pixel < pixels; pixel++) {
    sum += vec4<f32>(input[pixel * vectors + id.x]);
  }
  output[id.x] = Stored(sum / f32(pixels));
}
