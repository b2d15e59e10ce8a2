// The next token, by one workgroup: the likeliest, or one drawn after repetition penalty, temperature, top-k, top-p and min-p.

struct Sampling {
  temperature: f32,
  top_p: f32,
  min_p: f32,
  repetition_penalty: f32,
  // 0: no restriction.
  top_k: u32,
  seed_low: u32,
  seed_high: u32,
  // Those with a text: rows of the embedding behind them are padding.
  tokens: u32,
}

@group(0) @binding(1) var<uniform> sampling: Sampling;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read_write> ids: array<u32>;
// One bit a token of prompt and text so far.
@group(0) @binding(4) var<storage, read_write> seen: array<u32>;

const LOWEST = -3.0e38;
const NOTHING = 0xffffffffu;

var<workgroup> best: array<f32, 256>;
var<workgroup> best_id: array<u32, 256>;
var<workgroup> sums: array<f32, 256>;
var<workgroup> group_sums: array<f32, 16>;
var<workgroup> chosen: u32;

fn score(id: u32) -> f32 {
  let logit = logits[id];
  let is_seen = (seen[id / 32u] >> (id % 32u)) & 1u;
  if (is_seen == 0u) { return logit; }
  return select(logit * sampling.repetition_penalty, logit / sampling.repetition_penalty, logit > 0.0);
}

// Grows with its argument.
fn order_of(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

// Sum over the tokens of at least this order: of their weights, or of ones. The same for all threads.
fn mass_from(order: u32, most: f32, counting: bool, thread: u32) -> f32 {
  var sum = 0.0;
  for (var id = thread; id < sampling.tokens; id += 256u) {
    let value = score(id);
    if (order_of(value) >= order) { sum += weight_of(value, most, counting); }
  }
  sums[thread] = sum;
  workgroupBarrier();
  if (thread < 16u) {
    var part = 0.0;
    for (var i = 0u; i < 16u; i++) { part += sums[thread * 16u + i]; }
    group_sums[thread] = part;
  }
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < 16u; i++) { total += group_sums[i]; }
  workgroupBarrier();
  return total;
}

fn weight_of(value: f32, most: f32, counting: bool) -> f32 {
  return select(exp((value - most) / sampling.temperature), 1.0, counting);
}

// The highest order from which on the sum is at least `wanted`.
fn order_with(wanted: f32, most: f32, counting: bool, thread: u32) -> u32 {
  var order = 0u;
  for (var bit = 0u; bit < 32u; bit++) {
    let higher = order | (0x80000000u >> bit);
    if (mass_from(higher, most, counting, thread) >= wanted) { order = higher; }
  }
  return order;
}

// A hash of seed and position (PCG, Jarzynski and Olano 2020), to 24 bits, in [0, 1).
fn random() -> f32 {
  let mixed = permute(sampling.seed_low ^ permute(sampling.seed_high ^ permute(params.position + params.tokens)));
  return f32(mixed >> 8u) / 16777216.0;
}

fn permute(value: u32) -> u32 {
  let state = value * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}

fn likeliest(thread: u32) -> u32 {
  var value = LOWEST;
  var id = NOTHING;
  for (var i = thread; i < sampling.tokens; i += 256u) {
    let other = score(i);
    if (other > value) {
      value = other;
      id = i;
    }
  }
  best[thread] = value;
  best_id[thread] = id;
  workgroupBarrier();
  if (thread == 0u) {
    for (var i = 1u; i < 256u; i++) {
      if (best[i] > value || (best[i] == value && best_id[i] < id)) {
        value = best[i];
        id = best_id[i];
      }
    }
    best[0] = value;
    best_id[0] = id;
  }
  workgroupBarrier();
  return best_id[0];
}

fn draw(most: f32, thread: u32) -> u32 {
  var order = 0u;
  if (sampling.top_k > 0u && sampling.top_k < sampling.tokens) {
    order = order_with(f32(sampling.top_k), most, true, thread);
  }
  if (sampling.top_p < 1.0) {
    let kept = mass_from(order, most, false, thread);
    order = max(order, order_with(sampling.top_p * kept, most, false, thread));
  }
  if (sampling.min_p > 0.0) {
    order = max(order, order_of(most + sampling.temperature * log(sampling.min_p)));
  }
  order = min(order, order_of(most));

  let chunk_size = (sampling.tokens + 255u) / 256u;
  let first = thread * chunk_size;
  let end = min(first + chunk_size, sampling.tokens);
  var sum = 0.0;
  for (var id = first; id < end; id++) {
    let value = score(id);
    if (order_of(value) >= order) { sum += weight_of(value, most, false); }
  }
  sums[thread] = sum;
  workgroupBarrier();
  if (thread == 0u) {
    var total = 0.0;
    for (var i = 0u; i < 256u; i++) { total += sums[i]; }
    var left = random() * total;
    var chunk = 0u;
    // Rounding may leave a trace behind the last chunk that has any weight.
    for (var i = 0u; i < 256u; i++) {
      if (sums[i] == 0.0) { continue; }
      chunk = i;
      if (left < sums[i]) { break; }
      left -= sums[i];
    }
    let last = min((chunk + 1u) * chunk_size, sampling.tokens);
    for (var id = chunk * chunk_size; id < last; id++) {
      let value = score(id);
      if (order_of(value) < order) { continue; }
      chosen = id;
      left -= weight_of(value, most, false);
      if (left < 0.0) { break; }
    }
  }
  workgroupBarrier();
  return chosen;
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
  var id = likeliest(thread);
  if (sampling.temperature > 0.0) { id = draw(best[0], thread); }
  if (thread != 0u) { return; }
  ids[params.position + params.tokens] = id;
  if (id != NOTHING) { seen[id / 32u] |= 1u << (id % 32u); }
}
