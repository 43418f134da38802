// Shared by all kernels. Before this come `Stored` (vec4<f32> or vec4<f16>, the storage of feature maps and weights; sums are
// always f32), the struct `Parameters` with its uniform `params`, and the flags and activations.
//
// Feature maps are NHWC with channels packed in vec4: [height, width, vectors]. "Vector" is the index of such a vec4 in a
// pixel. Unless a kernel says otherwise, one invocation computes one vec4 of the output, invocations are numbered
// (pixel · vectors + vector), and those beyond the output return at once; no such kernel has a barrier.

fn has(flag: u32) -> bool {
  return (params.flags & flag) != 0u;
}

fn output_pixels() -> u32 {
  return params.output_height * params.output_width;
}

fn activate(value: vec4<f32>) -> vec4<f32> {
  switch params.activation {
    case ACTIVATION_RELU: {
      return max(value, vec4<f32>());
    }
    case ACTIVATION_LEAKY_RELU: {
      return select(value * params.slope, value, value >= vec4<f32>());
    }
    default: {
      return value;
    }
  }
}
