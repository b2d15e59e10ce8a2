// The residual stream += down_proj of TOKENS tokens: 64 columns a workgroup, THREAD_QUADS quads of them a thread, and lanes
// that share the neurons. A neuron whose activations are all zero is not read.

@group(0) @binding(1) var<storage, read> values: array<vec4u>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;
@group(0) @binding(3) var<storage, read_write> hidden: array<vec4f>;
@group(0) @binding(4) var<storage, read> bias: array<vec4f>;

const GROUP_QUADS = 16u;
const COLUMN_THREADS = GROUP_QUADS / THREAD_QUADS;
const LANES = GROUP_THREADS / COLUMN_THREADS;
// Threads that add up the lanes of a quad.
const PARTS = GROUP_THREADS / GROUP_QUADS;

// By token and quad.
var<private> sums: array<vec4f, TOKENS * THREAD_QUADS>;
// By quad and lane.
var<workgroup> lane_sums: array<vec4f, GROUP_QUADS * LANES>;

@compute @workgroup_size(GROUP_THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let column = thread % COLUMN_THREADS;
  let lane = thread / COLUMN_THREADS;
  let first_token = group.y * TOKENS;
  let first_quad = group.x * GROUP_QUADS;
  gather(first_token, min(first_quad + column * THREAD_QUADS, BLOCKS * 8u - THREAD_QUADS), lane);
  for (var t = 0u; t < TOKENS; t++) {
    if (t > 0u) { workgroupBarrier(); }
    for (var i = 0u; i < THREAD_QUADS; i++) {
      lane_sums[(column * THREAD_QUADS + i) * LANES + lane] = sums[t * THREAD_QUADS + i];
    }
    workgroupBarrier();
    let mine = thread / PARTS * LANES + thread % PARTS;
    var part = lane_sums[mine];
    for (var i = PARTS; i < LANES; i += PARTS) { part += lane_sums[mine + i]; }
    // No other thread reads this place.
    lane_sums[mine] = part;
    workgroupBarrier();
    let quad = first_quad + thread;
    if (thread < GROUP_QUADS && quad < BLOCKS * 8u && first_token + t < params.tokens) {
      var total = vec4f();
      for (var i = 0u; i < PARTS; i++) { total += lane_sums[thread * LANES + i]; }
      if (BIAS) { total += bias[quad]; }
      // Columns that pad rows have weights of zero.
      hidden[(first_token + t) * HIDDEN_STRIDE + quad] += total;
    }
  }
}
