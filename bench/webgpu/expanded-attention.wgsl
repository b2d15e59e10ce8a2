// Yardstick: attention over an expanded cache, as models without a latent one have it. One workgroup a head and range of the
// cache, no longer than SPLIT: keys [head][position][K_WORDS] and values [head][position][V_WORDS] in halves. A workgroup
// waits five times, whatever the length of its range.

@group(0) @binding(1) var<storage, read> queries: array<vec2f>;
@group(0) @binding(2) var<storage, read> keys: array<vec4u>;
@group(0) @binding(3) var<storage, read> values: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> ranges: array<vec4f>;

const THREADS = 256u;
// Threads that share a score; threads that share a column.
const PARTS = THREADS / SPLIT;
const K_QUADS = K_WORDS / 4u;
const V_PAIRS = V_WORDS / 2u;
const LANES = THREADS / V_PAIRS;
const LOWEST = -3.0e38;

var<workgroup> query: array<vec2f, K_WORDS>;
var<workgroup> parts: array<f32, THREADS>;
var<workgroup> shares: array<f32, SPLIT>;
var<workgroup> lane_sums: array<vec4f, THREADS>;

fn dot_quad(quad: vec4u, at: u32) -> f32 {
  return dot(query[at], unpack2x16float(quad.x)) + dot(query[at + 1u], unpack2x16float(quad.y))
    + dot(query[at + 2u], unpack2x16float(quad.z)) + dot(query[at + 3u], unpack2x16float(quad.w));
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let head = group.y;
  let begin = group.x * SPLIT;
  let count = min(SPLIT, params.position + 1u - begin);
  let row = head * CONTEXT + begin;
  if (thread < K_WORDS) { query[thread] = queries[head * K_WORDS + thread]; }
  workgroupBarrier();

  let position = thread / PARTS;
  let part = thread % PARTS;
  var score = 0.0;
  if (position < count) {
    for (var quad = part; quad < K_QUADS; quad += PARTS) {
      score += dot_quad(keys[(row + position) * K_QUADS + quad], 4u * quad);
    }
  }
  parts[thread] = score;
  workgroupBarrier();

  if (thread < SPLIT) {
    var sum = 0.0;
    for (var i = 0u; i < PARTS; i++) { sum += parts[thread * PARTS + i]; }
    shares[thread] = select(LOWEST, sum, thread < count);
  }
  workgroupBarrier();
  var greatest = LOWEST;
  for (var i = 0u; i < count; i++) { greatest = max(greatest, shares[i]); }
  workgroupBarrier();
  if (thread < SPLIT) { shares[thread] = select(0.0, exp(shares[thread] - greatest), thread < count); }
  workgroupBarrier();

  let pair = thread % V_PAIRS;
  let lane = thread / V_PAIRS;
  var sum = vec4f();
  for (var i = lane; i < count; i += LANES) {
    let words = values[(row + i) * V_PAIRS + pair];
    sum += shares[i] * vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
  }
  lane_sums[thread] = sum;
  workgroupBarrier();
  let to = (group.x * HEADS + head) * (V_PAIRS + 1u);
  if (thread < V_PAIRS) {
    for (var i = 1u; i < LANES; i++) { sum += lane_sums[i * V_PAIRS + thread]; }
    ranges[to + thread] = sum;
  }
  if (thread == 0u) {
    var mass = 0.0;
    for (var i = 0u; i < count; i++) { mass += shares[i]; }
    ranges[to + V_PAIRS] = vec4f(greatest, mass, 0.0, 0.0);
  }
}
