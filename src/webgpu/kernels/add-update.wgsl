// Moves what down_proj gives, and its bias, into the residual stream, and sums its squares up: a thread a channel.

@group(0) @binding(1) var<storage, read_write> update: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
@group(0) @binding(3) var<storage, read_write> hidden: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  if (column >= COLUMNS) { return; }
  var sum = 0.0;
  for (var token = 0u; token < params.tokens; token++) {
    let at = token * X_STRIDE + column;
    var value = update[at];
    sum += value * value;
    if (BIAS) { value += bias[column]; }
    hidden[at] += value;
    update[at] = 0.0;
  }
  sums[column] = sum;
}
