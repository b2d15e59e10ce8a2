// Of every neuron, the sum of its activations over the tokens of a batch, and a bit a token: the first lowest, set where it fires.
// A batch has 32 tokens at most.

@group(0) @binding(1) var<storage, read> activations: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
@group(0) @binding(3) var<storage, read_write> fired: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let neuron = id.x;
  if (neuron >= COLUMNS) { return; }
  var sum = 0.0;
  var bits = 0u;
  for (var token = 0u; token < params.tokens; token++) {
    let value = activations[token * X_STRIDE + neuron];
    sum += value;
    if (value > 0.0) { bits |= 1u << token; }
  }
  sums[neuron] = sum;
  fired[neuron] = bits;
}
