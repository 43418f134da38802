// What happens to a convolution's sum, and where it goes.
fn finish(pixel: u32, quad: u32, sum: vec4<f32>) {
  let index = pixel * params.output_quads + quad;
  var value = sum + channels[quad];
  if has(ADD) {
    value += vec4<f32>(added[index]);
  }
  value = activate(value);
  if has(OUTPUT) {
    output[index] = Stored(value);
  }
  if has(JOINT) {
    let index = pixel * params.joint_quads + params.joint_first + quad;
    joint[index] = Stored(vec4<f32>(joint_added[index]) + value);
  }
}
