// A convolution with one filter for each channel.

@group(0) @binding(1) var<storage, read> input: array<Stored>;
// [size, size, quads], then the bias.
@group(0) @binding(2) var<storage, read> filters: array<Stored>;
@group(0) @binding(3) var<storage, read_write> output: array<Stored>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let quads = params.output_quads;
  let place = id.x / quads;
  let quad = id.x % quads;
  if place >= params.output_side * params.output_side {
    return;
  }
  // Before the first pixel these wrap around to more than any side.
  let top = (place / params.output_side) * params.stride - params.padding;
  let left = (place % params.output_side) * params.stride - params.padding;
  let taps = params.size * params.size;
  var sum = vec4<f32>(filters[taps * quads + quad]);
  for (var tap = 0u; tap < taps; tap++) {
    let y = top + tap / params.size;
    let x = left + tap % params.size;
    if y < params.input_side && x < params.input_side {
      var value = vec4<f32>(input[(y * params.input_side + x) * quads + quad]);
      if has(RELU) {
        value = max(value, vec4<f32>());
      }
      sum += value * vec4<f32>(filters[tap * quads + quad]);
    }
  }
  output[id.x] = Stored(activate(sum));
}
