// One workgroup a head: [W_UK^T q_nope | rotated q_pe] / sqrt(qk_head_dim). One more: [c' | rotated k_pe] into the cache, as halves.

@group(0) @binding(1) var<storage, read> projected: array<f32>;
@group(0) @binding(2) var<storage, read> latent_gamma: array<vec2f>;
@group(0) @binding(3) var<storage, read> rope: array<vec2f>;
@group(0) @binding(4) var<storage, read> values: array<vec4u>;
@group(0) @binding(5) var<storage, read> scales: array<u32>;
@group(0) @binding(6) var<storage, read_write> queries: array<vec2f>;
@group(0) @binding(7) var<storage, read_write> cache: array<u32>;
// Output of q_proj, which is a part of `projected`, or of q_b_proj.
@group(0) @binding(8) var<storage, read> queried: array<f32>;

const OCTETS = BLOCKS * 4u;
const OCTET_THREADS = min(OCTETS, 64u);
// Threads that share the rows of W_UK.
const ROW_LANES = 4u;
const THREADS = OCTET_THREADS * ROW_LANES;

var<workgroup> low_sums: array<vec4f, THREADS>;
var<workgroup> high_sums: array<vec4f, THREADS>;
var<workgroup> squares: array<f32, THREADS>;

fn query(head: u32, token: u32, thread: u32) {
  let from_query = token * QUERIED_STRIDE + head * (NOPE + ROPE_PAIRS * 2u);
  let to = (token * HEADS + head) * CACHE_WORDS;
  let column = thread % OCTET_THREADS;
  let lane = thread / OCTET_THREADS;
  for (var first = 0u; first < OCTETS; first += OCTET_THREADS) {
    let octet = first + column;
    var low = vec4f();
    var high = vec4f();
    if (octet < OCTETS) {
      for (var n = lane; n < NOPE; n += ROW_LANES) {
        let row = head * (NOPE + V_DIM) + n;
        let weights = weight_octet(row, octet);
        let factor = queried[from_query + n] * weight_scale(row, octet / 4u);
        low += weights.low * factor;
        high += weights.high * factor;
      }
    }
    low_sums[thread] = low;
    high_sums[thread] = high;
    workgroupBarrier();
    if (lane == 0u && octet < OCTETS) {
      for (var i = 1u; i < ROW_LANES; i++) {
        low += low_sums[i * OCTET_THREADS + column];
        high += high_sums[i * OCTET_THREADS + column];
      }
      low *= SCORE_SCALE;
      high *= SCORE_SCALE;
      let at = to + octet * 4u;
      queries[at] = low.xy;
      queries[at + 1u] = low.zw;
      queries[at + 2u] = high.xy;
      queries[at + 3u] = high.zw;
    }
    workgroupBarrier();
  }
  for (var pair = thread; pair < ROPE_PAIRS; pair += THREADS) {
    let places = pair_places(pair) + NOPE + from_query;
    let turned = rotate(vec2f(queried[places.x], queried[places.y]), params.position + token, pair);
    queries[to + LATENT_WORDS + pair] = turned * SCORE_SCALE;
  }
}

fn key(token: u32, thread: u32) {
  let from_latent = token * PROJECTED_STRIDE + KEY_OFFSET;
  var square = 0.0;
  for (var i = thread; i < LATENT; i += THREADS) {
    let v = projected[from_latent + i];
    square += v * v;
  }
  squares[thread] = square;
  workgroupBarrier();
  var mean = 0.0;
  for (var i = 0u; i < THREADS; i++) { mean += squares[i]; }
  let factor = inverseSqrt(mean / f32(LATENT) + EPSILON);
  let to = (params.position + token) * CACHE_WORDS;
  for (var word = thread; word < LATENT_WORDS; word += THREADS) {
    let at = from_latent + 2u * word;
    // The scales of columns that pad the latent are 0.
    let pair = vec2f(projected[at], projected[at + 1u]) * latent_gamma[word] * factor;
    cache[to + word] = pack2x16float(pair);
  }
  for (var pair = thread; pair < ROPE_PAIRS; pair += THREADS) {
    let places = pair_places(pair) + from_latent + LATENT;
    let turned = rotate(vec2f(projected[places.x], projected[places.y]), params.position + token, pair);
    cache[to + LATENT_WORDS + pair] = pack2x16float(turned);
  }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  if (group.x < HEADS) {
    query(group.x, group.y, thread);
  } else {
    key(group.y, thread);
  }
}
