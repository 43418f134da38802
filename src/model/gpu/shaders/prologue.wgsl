// What happens to what a convolution reads. `channels` has the bias, [output quads]; then, with AFFINE, scale and shift,
// [input quads] each.
fn prepare(read: vec4<f32>, quad: u32) -> vec4<f32> {
  var value = read;
  if has(AFFINE) {
    let scale = params.output_quads + quad;
    value = value * channels[scale] + channels[scale + params.input_quads];
  }
  if has(RELU) {
    value = max(value, vec4<f32>());
  }
  return value;
}
