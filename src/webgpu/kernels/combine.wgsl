// One workgroup a head: puts the ranges of its attention together and applies W_UV.

@group(0) @binding(1) var<storage, read> ranges: array<vec2f>;
@group(0) @binding(2) var<storage, read> values: array<vec4u>;
@group(0) @binding(3) var<storage, read> scales: array<u32>;
@group(0) @binding(4) var<storage, read_write> attended: array<f32>;

const STRIDE = HEADS * (LATENT_WORDS + 1u);
// Threads that share a row of W_UV.
const LANES = 2u;

var<workgroup> context: array<vec4f, BLOCKS * 8u>;
var<workgroup> parts: array<f32, THREADS>;

fn context_pair(from_head: u32, word: u32, most: f32) -> vec2f {
  var sum = vec2f();
  for (var i = 0u; i < params.splits; i++) {
    let at = from_head + i * STRIDE;
    sum += ranges[at + word] * exp(ranges[at + LATENT_WORDS].x - most);
  }
  return sum;
}

fn context_block(block: u32) -> Block {
  let at = block * 8u;
  return Block(
    mat4x4f(context[at], context[at + 1u], context[at + 2u], context[at + 3u]),
    mat4x4f(context[at + 4u], context[at + 5u], context[at + 6u], context[at + 7u]),
  );
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let head = group.x;
  let token = group.y;
  let from_head = token * params.splits * STRIDE + head * (LATENT_WORDS + 1u);
  var most = -3.0e38;
  for (var i = 0u; i < params.splits; i++) { most = max(most, ranges[from_head + i * STRIDE + LATENT_WORDS].x); }
  var mass = 0.0;
  for (var i = 0u; i < params.splits; i++) {
    let range = ranges[from_head + i * STRIDE + LATENT_WORDS];
    mass += range.y * exp(range.x - most);
  }
  for (var i = thread; i < BLOCKS * 8u; i += THREADS) {
    context[i] = vec4f(context_pair(from_head, 2u * i, most), context_pair(from_head, 2u * i + 1u, most)) / mass;
  }
  workgroupBarrier();
  for (var first = 0u; first < V_DIM; first += THREADS / LANES) {
    let row = first + thread / LANES;
    let lane = thread % LANES;
    var sum = 0.0;
    if (row < V_DIM) {
      let stored = head * (NOPE + V_DIM) + NOPE + row;
      for (var block = lane; block < BLOCKS; block += LANES) {
        sum += inner_product(weight_block(stored, block), context_block(block)) * weight_scale(stored, block);
      }
    }
    parts[thread] = sum;
    workgroupBarrier();
    if (lane == 0u && row < V_DIM) {
      var total = 0.0;
      for (var i = 0u; i < LANES; i++) { total += parts[thread + i]; }
      attended[token * ATTENDED_STRIDE + head * V_DIM + row] = total;
    }
    workgroupBarrier();
  }
}
