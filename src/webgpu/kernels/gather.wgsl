// Vectors of a batch, as their matrices take them, behind those of the batches before: a thread a channel of a token.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> gathered: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  let token = id.y;
  if (column >= COLUMNS) { return; }
  let from_token = token * X_STRIDE + X_OFFSET;
  gathered[(params.row + token) * GATHERED_STRIDE + column] = x[from_token + column] * scale(from_token, token, column);
}
