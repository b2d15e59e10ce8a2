// y = W x, or W (gamma * x / rms(x)): LANES threads a row, TOKENS vectors at a time.

@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(3) var<storage, read> values: array<vec4u>;
@group(0) @binding(4) var<storage, read> scales: array<u32>;

const GROUP_THREADS = 64u;
const GROUP_ROWS = GROUP_THREADS / LANES;

// Squares of the columns that are there: rows of x may run on into something else.
fn square(v: vec4f, column: u32) -> f32 {
  if (COLUMNS % 32u == 0u) { return dot(v, v); }
  let held = select(vec4f(), v, vec4u(column) + vec4u(0u, 1u, 2u, 3u) < vec4u(COLUMNS));
  return dot(held, held);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let lane = thread % LANES;
  let local_row = thread / LANES;
  let row = group.x * GROUP_ROWS + local_row;
  let read_row = min(row, ROWS - 1u);
  let first_token = group.y * TOKENS;

  var sums: array<f32, TOKENS>;
  var squares: array<f32, TOKENS>;
  for (var block = lane; block < BLOCKS; block += LANES) {
    let weights = weight_block(read_row, block);
    let scale = weight_scale(read_row, block);
    for (var t = 0u; t < TOKENS; t++) {
      let at = (first_token + t + select(0u, params.row, FROM_ROW)) * X_STRIDE + block * 8u;
      var part = 0.0;
      var squared = 0.0;
      for (var i = 0u; i < 8u; i++) {
        let v = x[at + i];
        if (NORM) {
          part += dot(weights[i], v * gamma[block * 8u + i]);
          squared += square(v, block * 32u + i * 4u);
        } else {
          part += dot(weights[i], v);
        }
      }
      sums[t] += part * scale;
      if (NORM) { squares[t] += squared; }
    }
  }
  for (var t = 0u; t < TOKENS; t++) {
    share(t, thread, sums[t]);
    if (NORM) { share(TOKENS + t, thread, squares[t]); }
  }
  meet();

  for (var t = 0u; t < TOKENS; t++) {
    var value = total(t, thread);
    if (NORM) { value *= inverseSqrt(total(TOKENS + t, thread) / f32(COLUMNS) + EPSILON); }
    if (lane == t % LANES) {
      if (row < ROWS && first_token + t < params.tokens) {
        finish(first_token + t, row, value);
      } else {
        leave_out(local_row);
      }
    }
  }
  conclude(group.x, thread);
}
