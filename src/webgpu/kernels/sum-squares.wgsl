// Sums of squares by channel over the tokens of a batch, in their order, a thread a channel. Heads lie side by side in the sums.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= COLUMNS * HEADS) { return; }
  let head = id.x / COLUMNS;
  let column = id.x % COLUMNS;
  var sum = 0.0;
  for (var token = 0u; token < params.tokens; token++) {
    let from_head = token * X_STRIDE + X_OFFSET + head * HEAD_STRIDE;
    let value = x[from_head + column] * scale(from_head, token, column);
    sum += value * value;
  }
  sums[id.x] = sum;
}
