// Rows of embed_tokens, of those that this slice of it holds, into the residual stream.

@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> values: array<vec4u>;
@group(0) @binding(3) var<storage, read> scales: array<u32>;
@group(0) @binding(4) var<storage, read_write> hidden: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let octet = group.x * 64u + thread;
  let id = ids[params.position + group.y];
  if (octet >= BLOCKS * 4u || id < FIRST_ROW || id >= FIRST_ROW + ROWS) { return; }
  let weights = weight_octet(id - FIRST_ROW, octet);
  let scale = weight_scale(id - FIRST_ROW, octet / 4u);
  let at = group.y * X_STRIDE + octet * 2u;
  hidden[at] = weights.low * scale;
  hidden[at + 1u] = weights.high * scale;
}
