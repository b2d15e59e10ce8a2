// Scores, softmax and weighted sum of latents over a range of the cache: up to 16 heads a workgroup, so that they share what
// they read, TILE positions at a time. Ranges are put together by combine.wgsl.

@group(0) @binding(1) var<storage, read> queries: array<vec2f>;
@group(0) @binding(2) var<storage, read> cache: array<u32>;
@group(0) @binding(3) var<storage, read_write> ranges: array<vec2f>;

const SCORES = GROUP_HEADS * TILE;
// Threads that share a score.
const PARTS = max(1u, THREADS / SCORES);
// Words of the latent a thread adds up.
const THREAD_WORDS = (LATENT_WORDS + THREADS - 1u) / THREADS;
// Finite, since compilers may take for granted that nothing is infinite.
const LOWEST = -3.0e38;

var<workgroup> tile: array<u32, TILE * CACHE_WORDS>;
var<workgroup> parts: array<f32, SCORES * PARTS>;
// exp(score - greatest) of the tile, and by how much the sums so far shrink.
var<workgroup> shares: array<f32, SCORES>;
var<workgroup> shrink: array<f32, GROUP_HEADS>;
var<workgroup> greatest: array<f32, GROUP_HEADS>;
var<workgroup> total: array<f32, GROUP_HEADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let token = group.y;
  let first_head = group.z * GROUP_HEADS;
  let begin = group.x * params.split;
  let end = min(begin + params.split, params.position + token + 1u);
  var sums: array<array<vec2f, GROUP_HEADS>, THREAD_WORDS>;
  if (thread < GROUP_HEADS) {
    greatest[thread] = LOWEST;
    total[thread] = 0.0;
  }
  for (var first = begin; first < end; first += TILE) {
    workgroupBarrier();
    for (var i = thread; i < TILE * CACHE_WORDS; i += THREADS) {
      // Behind the last position there may be anything, but for its share, which is 0.
      tile[i] = select(0u, cache[first * CACHE_WORDS + i], first + i / CACHE_WORDS < end);
    }
    workgroupBarrier();
    for (var i = thread; i < SCORES * PARTS; i += THREADS) {
      let part = i % PARTS;
      let position = (i / PARTS) % TILE;
      let head = min(first_head + i / (PARTS * TILE), HEADS - 1u);
      let from_query = (token * HEADS + head) * CACHE_WORDS;
      var sum = 0.0;
      for (var word = part; word < CACHE_WORDS; word += PARTS) {
        sum += dot(queries[from_query + word], unpack2x16float(tile[position * CACHE_WORDS + word]));
      }
      parts[i] = sum;
    }
    workgroupBarrier();
    if (thread < GROUP_HEADS) {
      var score: array<f32, TILE>;
      let before = greatest[thread];
      var most = before;
      for (var i = 0u; i < TILE; i++) {
        var sum = 0.0;
        for (var part = 0u; part < PARTS; part++) { sum += parts[(thread * TILE + i) * PARTS + part]; }
        score[i] = select(LOWEST, sum, first + i < end);
        most = max(most, score[i]);
      }
      let factor = exp(before - most);
      var mass = total[thread] * factor;
      for (var i = 0u; i < TILE; i++) {
        let share = select(0.0, exp(score[i] - most), first + i < end);
        shares[thread * TILE + i] = share;
        mass += share;
      }
      shrink[thread] = factor;
      greatest[thread] = most;
      total[thread] = mass;
    }
    workgroupBarrier();
    for (var k = 0u; k < THREAD_WORDS; k++) {
      let word = thread + k * THREADS;
      if (word < LATENT_WORDS) {
        var pairs: array<vec2f, TILE>;
        for (var i = 0u; i < TILE; i++) { pairs[i] = unpack2x16float(tile[i * CACHE_WORDS + word]); }
        for (var head = 0u; head < GROUP_HEADS; head++) {
          var sum = sums[k][head] * shrink[head];
          for (var i = 0u; i < TILE; i++) { sum += shares[head * TILE + i] * pairs[i]; }
          sums[k][head] = sum;
        }
      }
    }
  }
  workgroupBarrier();
  for (var head = 0u; head < GROUP_HEADS; head++) {
    if (first_head + head >= HEADS) { break; }
    let to = ((token * params.splits + group.x) * HEADS + first_head + head) * (LATENT_WORDS + 1u);
    for (var k = 0u; k < THREAD_WORDS; k++) {
      let word = thread + k * THREADS;
      if (word < LATENT_WORDS) { ranges[to + word] = sums[k][head]; }
    }
    if (thread == 0u) { ranges[to + LATENT_WORDS] = vec2f(greatest[head], total[head]); }
  }
}
