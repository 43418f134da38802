// The prologue of a convolution. `constants` has the bias [output vectors] and, with AFFINE, scale and shift [input vectors]
// each.
fn prologue(read: vec4<f32>, vector: u32) -> vec4<f32> {
  var value = read;
  if has(AFFINE) {
    let scale = params.output_vectors + vector;
    value = value * constants[scale] + constants[scale + params.input_vectors];
  }
  if has(PROLOGUE_RELU) {
    value = max(value, vec4<f32>());
  }
  return value;
}
