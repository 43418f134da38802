// addend + input · gate. The gate has one channel, the first lane of its only vector.

@group(0) @binding(1) var<storage, read> input: array<Stored>;
@group(0) @binding(2) var<storage, read> gate: array<Stored>;
@group(0) @binding(3) var<storage, read> addend: array<Stored>;
@group(0) @binding(4) var<storage, read_write> output: array<Stored>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let pixel = id.x / params.output_vectors;
  if pixel >= output_pixels() {
    return;
  }
  output[id.x] = Stored(vec4<f32>(addend[id.x]) + vec4<f32>(input[id.x]) * f32(gate[pixel].x));
}
