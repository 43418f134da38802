// The mean over all pixels.

@group(0) @binding(1) var<storage, read> input: array<Stored>;
@group(0) @binding(2) var<storage, read_write> output: array<Stored>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let quads = params.output_quads;
  if id.x >= quads {
    return;
  }
  let pixels = params.input_side * params.input_side;
  var sum = vec4<f32>();
  for (var pixel = 0u; pixel < pixels; pixel++) {
    sum += vec4<f32>(input[pixel * quads + id.x]);
  }
  output[id.x] = Stored(sum / f32(pixels));
}
