// A depthwise convolution: a kernel of its own for each channel.

@group(0) @binding(1) var<storage, read> input: array<Stored>;
// [kernel_size, kernel_size, vectors], then the bias [vectors].
@group(0) @binding(2) var<storage, read> weights: array<Stored>;
@group(0) @binding(3) var<storage, read_write> output: array<Stored>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let vectors = params.output_vectors;
  let pixel = id.x / vectors;
  let vector = id.x % vectors;
  if pixel >= output_pixels() {
    return;
  }
  // Unsigned: coordinates in the padding before the first pixel wrap around to values larger than any height or width.
  let top = (pixel / params.output_width) * params.stride - params.padding;
  let left = (pixel % params.output_width) * params.stride - params.padding;
  let taps = params.kernel_size * params.kernel_size;
  var sum = vec4<f32>(weights[taps * vectors + vector]);
  for (var tap = 0u; tap < taps; tap++) {
    let y = top + tap / params.kernel_size;
    let x = left + tap % params.kernel_size;
    if y < params.input_height && x < params.input_width {
      var value = vec4<f32>(input[(y * params.input_width + x) * vectors + vector]);
      if has(PROLOGUE_RELU) {
        value = max(value, vec4<f32>());
      }
      sum += value * vec4<f32>(weights[tap * vectors + vector]);
    }
  }
  output[id.x] = Stored(activate(sum));
}
