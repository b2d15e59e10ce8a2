// The residual stream += down_proj of TOKENS tokens: 64 columns a workgroup, THREAD_QUADS quads of them a thread, and lanes
// that share the neurons. A neuron whose activations are all zero is not read. NEIGHBORS lanes of a column stand together.

@group(0) @binding(1) var<storage, read> values: array<vec4u>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;
@group(0) @binding(3) var<storage, read_write> hidden: array<vec4f>;
@group(0) @binding(4) var<storage, read> bias: array<vec4f>;

const GROUP_QUADS = 16u;
const COLUMN_THREADS = GROUP_QUADS / THREAD_QUADS;
const LANES = GROUP_THREADS / COLUMN_THREADS;
const HALF = LANES / NEIGHBORS / 2u;

// By token.
var<private> sums: array<Sum, TOKENS>;
// What half of the neighborhoods hand over to the other half, then half of those.
var<workgroup> handed: array<Sum, HALF * COLUMN_THREADS>;

@compute @workgroup_size(GROUP_THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let column = thread / NEIGHBORS % COLUMN_THREADS;
  let neighborhood = thread / NEIGHBORS / COLUMN_THREADS;
  let first_token = group.y * TOKENS;
  let first_quad = group.x * GROUP_QUADS + column * THREAD_QUADS;
  gather(first_token, min(first_quad, BLOCKS * 8u - THREAD_QUADS), neighborhood * NEIGHBORS + thread % NEIGHBORS);
  for (var t = 0u; t < TOKENS; t++) {
    if (t > 0u) { workgroupBarrier(); }
    var sum = sum_of_neighbors(sums[t]);
    let is_first = thread % NEIGHBORS == 0u;
    for (var takers = HALF; takers > 0u; takers /= 2u) {
      // Only this thread has read this place.
      if (is_first && neighborhood >= takers && neighborhood < 2u * takers) {
        handed[neighborhood % HALF * COLUMN_THREADS + column] = sum;
      }
      workgroupBarrier();
      if (neighborhood < takers) {
        sum = sum_of(sum, handed[(neighborhood + takers) % HALF * COLUMN_THREADS + column]);
      }
    }
    if (is_first && neighborhood == 0u && first_quad < BLOCKS * 8u && first_token + t < params.tokens) {
      add_sum(first_token + t, first_quad, sum);
    }
  }
}

fn sum_of_neighbors(own: Sum) -> Sum {
  var sum = own;
  for (var mask = 1u; mask < NEIGHBORS; mask *= 2u) { sum = sum_of(sum, sum_of_neighbor(sum, mask)); }
  return sum;
}

// Columns that pad rows have weights of zero.
fn add_quad(token: u32, quad: u32, sum: vec4f) {
  var total = sum;
  if (BIAS) { total += bias[quad]; }
  hidden[token * HIDDEN_STRIDE + quad] += total;
}
