// y = W x, or W (gamma * x / rms(x)): LANES threads for TILE_ROWS rows, which share what they read of x, TOKENS vectors at a time.

@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(3) var<storage, read> values: array<vec4u>;
@group(0) @binding(4) var<storage, read> scales: array<u32>;

const GROUP_ROWS = GROUP_THREADS / LANES * TILE_ROWS;
// Sums of tiles, then squares of vectors.
const SLOTS = TOKENS * (TILE_ROWS + 1u);

// Squares of the columns that are there: rows of x may run on into something else.
fn square(v: vec4f, column: u32) -> f32 {
  if (COLUMNS % 32u == 0u) { return dot(v, v); }
  let held = select(vec4f(), v, vec4u(column) + vec4u(0u, 1u, 2u, 3u) < vec4u(COLUMNS));
  return dot(held, held);
}

@compute @workgroup_size(GROUP_THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let lane = thread % LANES;
  let local_row = thread / LANES * TILE_ROWS;
  let row = group.x * GROUP_ROWS + local_row;
  let first_row = min(row, ROWS - 1u);
  let second_row = min(row + 1u, ROWS - 1u);
  let first_token = group.y * TOKENS;

  var sums: array<f32, SLOTS>;
  for (var block = lane; block < BLOCKS; block += LANES) {
    let first = weight_block(first_row, block);
    let second = weight_block(second_row, block);
    let scale = vec2f(weight_scale(first_row, block), weight_scale(second_row, block));
    for (var t = 0u; t < TOKENS; t++) {
      let at = (first_token + t + select(0u, params.row, FROM_ROW)) * X_STRIDE + block * 8u;
      var part = vec2f();
      var squared = 0.0;
      for (var i = 0u; i < 8u; i++) {
        var v = x[at + i];
        if (NORM) {
          squared += square(v, block * 32u + i * 4u);
          v *= gamma[block * 8u + i];
        }
        part += vec2f(dot(first[i], v), dot(second[i], v));
      }
      part *= scale;
      sums[t * TILE_ROWS] += part.x;
      sums[t * TILE_ROWS + 1u] += part.y;
      if (NORM) { sums[TOKENS * TILE_ROWS + t] += squared; }
    }
  }
  for (var slot = 0u; slot < SLOTS; slot++) { share(slot, thread, sums[slot]); }
  meet();

  for (var t = 0u; t < TOKENS; t++) {
    var factor = 1.0;
    if (NORM) { factor = inverseSqrt(total(TOKENS * TILE_ROWS + t, thread) / f32(COLUMNS) + EPSILON); }
    for (var i = 0u; i < TILE_ROWS; i++) {
      let value = total(t * TILE_ROWS + i, thread) * factor;
      if (lane == (t * TILE_ROWS + i) % LANES) {
        if (row + i < ROWS && first_token + t < params.tokens) {
          finish(first_token + t, row + i, value);
        } else {
          leave_out(local_row + i);
        }
      }
    }
  }
  conclude(group.x, thread);
}
