// Values as an RMSNorm makes them, with the factors of norm-factors.wgsl.

@group(0) @binding(3) var<storage, read> gamma: array<f32>;
@group(0) @binding(4) var<storage, read> factors: array<f32>;

fn scale(from_head: u32, token: u32, column: u32) -> f32 {
  return gamma[column] * factors[token];
}
