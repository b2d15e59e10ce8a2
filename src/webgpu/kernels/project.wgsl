// y = W x, or W (gamma * x / rms(x)): LANES threads for TILE_ROWS rows, which share what they read of x, TOKENS vectors at a time.

@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(3) var<storage, read> values: array<vec4u>;
@group(0) @binding(4) var<storage, read> scales: array<u32>;

const GROUP_ROWS = GROUP_THREADS / LANES * TILE_ROWS;

fn x_block(at: u32) -> Block {
  return Block(mat4x4f(x[at], x[at + 1u], x[at + 2u], x[at + 3u]), mat4x4f(x[at + 4u], x[at + 5u], x[at + 6u], x[at + 7u]));
}

fn gamma_block(at: u32) -> Block {
  return Block(
    mat4x4f(gamma[at], gamma[at + 1u], gamma[at + 2u], gamma[at + 3u]),
    mat4x4f(gamma[at + 4u], gamma[at + 5u], gamma[at + 6u], gamma[at + 7u]),
  );
}

// Of the columns that are there: rows of x may run on into something else.
fn sum_of_squares(v: Block, block: u32) -> f32 {
  if ((block + 1u) * 32u <= COLUMNS) { return inner_product(v, v); }
  var squares = times(v, v);
  var sum = 0.0;
  for (var i = block * 32u; i < COLUMNS; i++) {
    let quad = i / 4u % 8u;
    if (quad < 4u) { sum += squares.low[quad][i % 4u]; } else { sum += squares.high[quad - 4u][i % 4u]; }
  }
  return sum;
}

@compute @workgroup_size(GROUP_THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let lane = thread % LANES;
  let local_row = thread / LANES * TILE_ROWS;
  let row = group.x * GROUP_ROWS + local_row;
  let first_row = min(row, ROWS - 1u);
  let second_row = min(row + 1u, ROWS - 1u);
  let first_token = group.y * TOKENS;

  // Products with both rows and, under a norm, the sum of squares.
  var sums: array<vec3f, TOKENS>;
  for (var block = lane; block < BLOCKS; block += LANES) {
    let first = weight_block(first_row, block);
    let second = weight_block(second_row, block);
    let scale = vec2f(weight_scale(first_row, block), weight_scale(second_row, block));
    for (var t = 0u; t < TOKENS; t++) {
      let at = (first_token + t + select(0u, params.row, FROM_ROW)) * X_STRIDE + block * 8u;
      var v = x_block(at);
      var squared = 0.0;
      if (NORM) {
        squared = sum_of_squares(v, block);
        v = times(v, gamma_block(block * 8u));
      }
      sums[t] += vec3f(vec2f(inner_product(first, v), inner_product(second, v)) * scale, squared);
    }
  }
  for (var t = 0u; t < TOKENS; t++) { share(t, thread, sums[t]); }
  meet();

  for (var t = 0u; t < TOKENS; t++) {
    var sum = total(t, thread);
    if (NORM) { sum *= inverseSqrt(sum.z / f32(COLUMNS) + EPSILON); }
    for (var i = 0u; i < TILE_ROWS; i++) {
      if (lane == (t * TILE_ROWS + i) % LANES) {
        if (row + i < ROWS && first_token + t < params.tokens) {
          finish(first_token + t, row + i, sum[i]);
        } else {
          leave_out(local_row + i);
        }
      }
    }
  }
  conclude(group.x, thread);
}
