// Scores, softmax and weighted sum of latents over a range of the cache, CHUNK positions at a time, by up to 16 heads a
// workgroup, so that they share what they read. A thread scores 4 heads at 4 positions, and sums 4 columns for all heads.
// Ranges are put together by combine.wgsl.

@group(0) @binding(1) var<storage, read> queries: array<vec4f>;
@group(0) @binding(2) var<storage, read> cache: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> ranges: array<vec2f>;

const THREADS = 128u;
const CHUNK = 64u;
const HEAD_QUADS = (GROUP_HEADS + 3u) / 4u;
const CACHE_QUADS = CACHE_WORDS / 4u;
// Threads that share a score.
const PARTS = THREADS / (HEAD_QUADS * CHUNK / 4u);
// Threads that share the softmax of a head.
const LANES = THREADS / HEAD_QUADS;
// Pairs of words of the latent that a thread adds up.
const PAIRS = LATENT_WORDS / 2u;
const THREAD_PAIRS = (PAIRS + THREADS - 1u) / THREADS;
// Finite, since compilers may take for granted that nothing is infinite.
const LOWEST = -3.0e38;

// By part, position and four heads; of the first part, then shares: exp(score - greatest).
var<workgroup> scores: array<vec4f, PARTS * CHUNK * HEAD_QUADS>;
// By four heads and lane.
var<workgroup> lane_values: array<vec4f, HEAD_QUADS * LANES>;
// By how much the sums so far shrink.
var<workgroup> shrink: array<vec4f, HEAD_QUADS>;

fn low_half(words: vec4u) -> vec4f {
  return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
}

fn high_half(words: vec4u) -> vec4f {
  return vec4f(unpack2x16float(words.z), unpack2x16float(words.w));
}

// Of one head at the four positions whose latents are the columns.
fn score_quad(at: u32, low: mat4x4f, high: mat4x4f) -> vec4f {
  return queries[at] * low + queries[at + 1u] * high;
}

// Positions behind the last one are scored as that one, and have no share.
fn score_chunk(from_token: u32, first_head: u32, first: u32, end: u32, thread: u32) {
  let part = thread % PARTS;
  let four = (thread / PARTS) % (CHUNK / 4u);
  let head_quad = thread / (PARTS * CHUNK / 4u);
  if (head_quad >= HEAD_QUADS || first + 4u * four >= end) { return; }
  let heads = min(first_head + 4u * head_quad + vec4u(0u, 1u, 2u, 3u), vec4u(HEADS - 1u));
  let from_head = (from_token + heads) * CACHE_QUADS * 2u;
  let rows = min(first + 4u * four + vec4u(0u, 1u, 2u, 3u), vec4u(end - 1u)) * CACHE_QUADS;
  var sums = mat4x4f();
  for (var quad = part; quad < CACHE_QUADS; quad += PARTS) {
    let a = cache[rows.x + quad];
    let b = cache[rows.y + quad];
    let c = cache[rows.z + quad];
    let d = cache[rows.w + quad];
    let low = mat4x4f(low_half(a), low_half(b), low_half(c), low_half(d));
    let high = mat4x4f(high_half(a), high_half(b), high_half(c), high_half(d));
    let at = from_head + 2u * quad;
    sums += mat4x4f(
      score_quad(at.x, low, high), score_quad(at.y, low, high), score_quad(at.z, low, high), score_quad(at.w, low, high),
    );
  }
  let by_position = transpose(sums);
  let to = (part * CHUNK + 4u * four) * HEAD_QUADS + head_quad;
  scores[to] = by_position[0];
  scores[to + HEAD_QUADS] = by_position[1];
  scores[to + 2u * HEAD_QUADS] = by_position[2];
  scores[to + 3u * HEAD_QUADS] = by_position[3];
}

fn scaled(m: mat4x4f, by: vec4f) -> mat4x4f {
  return mat4x4f(m[0] * by.x, m[1] * by.y, m[2] * by.z, m[3] * by.w);
}

fn outer_product(a: vec4f, b: vec4f) -> mat4x4f {
  return mat4x4f(a * b.x, a * b.y, a * b.z, a * b.w);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let token = group.y;
  let first_head = group.z * GROUP_HEADS;
  let begin = group.x * params.split;
  let end = min(begin + params.split, params.position + token + 1u);
  let head_quad = min(thread / LANES, HEAD_QUADS - 1u);
  let lane = thread % LANES;
  let has_lane = thread < HEAD_QUADS * LANES;
  // By pair and four heads: four columns a head.
  var sums: array<mat4x4f, THREAD_PAIRS * HEAD_QUADS>;
  var greatest = vec4f(LOWEST);
  // Of the positions of this lane.
  var mass = vec4f();
  for (var first = begin; first < end; first += CHUNK) {
    let count = min(CHUNK, end - first);
    score_chunk(token * HEADS, first_head, first, end, thread);
    workgroupBarrier();
    var most = vec4f(LOWEST);
    if (has_lane) {
      for (var i = lane; i < count; i += LANES) {
        let at = i * HEAD_QUADS + head_quad;
        var score = scores[at];
        for (var part = 1u; part < PARTS; part++) { score += scores[part * CHUNK * HEAD_QUADS + at]; }
        scores[at] = score;
        most = max(most, score);
      }
      lane_values[thread] = most;
    }
    workgroupBarrier();
    let before = greatest;
    for (var i = 0u; i < min(LANES, CHUNK); i++) { greatest = max(greatest, lane_values[head_quad * LANES + i]); }
    let factor = exp(before - greatest);
    if (has_lane) {
      mass *= factor;
      for (var i = lane; i < count; i += LANES) {
        let at = i * HEAD_QUADS + head_quad;
        let share = exp(scores[at] - greatest);
        scores[at] = share;
        mass += share;
      }
      if (lane == 0u) { shrink[head_quad] = factor; }
    }
    workgroupBarrier();
    for (var k = 0u; k < THREAD_PAIRS; k++) {
      let pair = thread + k * THREADS;
      if (pair >= PAIRS) { break; }
      let own = k * HEAD_QUADS;
      for (var quad = 0u; quad < HEAD_QUADS; quad++) { sums[own + quad] = scaled(sums[own + quad], shrink[quad]); }
      for (var i = 0u; i < count; i++) {
        let words = cache[(first + i) * CACHE_QUADS + pair / 2u];
        let columns = select(low_half(words), high_half(words), pair % 2u == 1u);
        for (var quad = 0u; quad < HEAD_QUADS; quad++) {
          sums[own + quad] += outer_product(columns, scores[i * HEAD_QUADS + quad]);
        }
      }
    }
    workgroupBarrier();
  }
  if (has_lane) { lane_values[thread] = mass; }
  workgroupBarrier();
  for (var head = 0u; head < GROUP_HEADS; head++) {
    if (first_head + head >= HEADS) { break; }
    let to = ((token * params.splits + group.x) * HEADS + first_head + head) * (LATENT_WORDS + 1u);
    for (var k = 0u; k < THREAD_PAIRS; k++) {
      let pair = thread + k * THREADS;
      if (pair >= PAIRS) { break; }
      let sum = sums[k * HEAD_QUADS + head / 4u][head % 4u];
      ranges[to + 2u * pair] = sum.xy;
      ranges[to + 2u * pair + 1u] = sum.zw;
    }
    if (thread == head / 4u * LANES) {
      var total = 0.0;
      for (var i = 0u; i < LANES; i++) { total += lane_values[thread + i][head % 4u]; }
      ranges[to + LATENT_WORDS] = vec2f(greatest[head % 4u], total);
    }
  }
}
