// Yardstick: attention over an expanded cache, as models without a latent one have it. One workgroup a head and range of the
// cache of SPLIT positions: keys [head][position][K_WORDS] and values [head][position][V_WORDS] in halves. A thread scores a
// position, then sums pairs of words; a workgroup is as small as that lets it be, and waits twice.

@group(0) @binding(1) var<storage, read> queries: array<vec4f>;
@group(0) @binding(2) var<storage, read> keys: array<vec4u>;
@group(0) @binding(3) var<storage, read> values: array<u32>;
@group(0) @binding(4) var<storage, read_write> ranges: array<vec2f>;

const K_QUADS = K_WORDS / 4u;
const THREAD_WORDS = (V_WORDS + SPLIT - 1u) / SPLIT;
const LOWEST = -3.0e38;

var<workgroup> scores: array<f32, SPLIT>;
var<workgroup> shares: array<f32, SPLIT>;

fn score_at(from_query: u32, from_key: u32) -> f32 {
  var sum = 0.0;
  for (var quad = 0u; quad < K_QUADS; quad++) {
    let words = keys[from_key + quad];
    let at = from_query + 2u * quad;
    sum += dot(queries[at], vec4f(unpack2x16float(words.x), unpack2x16float(words.y)));
    sum += dot(queries[at + 1u], vec4f(unpack2x16float(words.z), unpack2x16float(words.w)));
  }
  return sum;
}

@compute @workgroup_size(SPLIT)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let head = group.y;
  let begin = group.x * SPLIT;
  let count = min(SPLIT, params.position + 1u - begin);
  let row = head * CONTEXT + begin;
  var score = LOWEST;
  if (thread < count) { score = score_at(head * K_QUADS * 2u, (row + thread) * K_QUADS); }
  scores[thread] = score;
  workgroupBarrier();

  var greatest = LOWEST;
  for (var i = 0u; i < count; i++) { greatest = max(greatest, scores[i]); }
  shares[thread] = exp(score - greatest);
  workgroupBarrier();

  let to = (group.x * HEADS + head) * (V_WORDS + 1u);
  var mass = 0.0;
  for (var i = 0u; i < count; i++) { mass += shares[i]; }
  for (var k = 0u; k < THREAD_WORDS; k++) {
    let word = thread + k * SPLIT;
    if (word >= V_WORDS) { break; }
    var sum = vec2f();
    for (var i = 0u; i < count; i++) { sum += shares[i] * unpack2x16float(values[(row + i) * V_WORDS + word]); }
    ranges[to + word] = sum;
  }
  if (thread == 0u) { ranges[to + V_WORDS] = vec2f(greatest, mass); }
}
