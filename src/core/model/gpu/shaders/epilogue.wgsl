// The epilogue of a convolution: bias, residual, activation, and up to two destinations.
fn epilogue(pixel: u32, vector: u32, sum: vec4<f32>) {
  let index = pixel * params.output_vectors + vector;
  var value = sum + constants[vector];
  if has(RESIDUAL) {
    value += vec4<f32>(residual[index]);
  }
  value = activate(value);
  if has(OUTPUT) {
    output[index] = Stored(value);
  }
  if has(CONCAT) {
    let index = pixel * params.concat_vectors + params.concat_offset + vector;
    concat[index] = Stored(vec4<f32>(concat_residual[index]) + value);
  }
}
