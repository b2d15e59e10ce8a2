// The residual stream += down_proj of TOKENS tokens: 64 columns a workgroup, 32 lanes that share the neurons. A neuron whose
// activations are all zero is not read.

@group(0) @binding(1) var<storage, read> values: array<vec4u>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;
@group(0) @binding(3) var<storage, read_write> hidden: array<vec4f>;
@group(0) @binding(4) var<storage, read> bias: array<vec4f>;

const LANES = 32u;
const GROUP_OCTETS = 8u;

var<private> low_sums: array<vec4f, TOKENS>;
var<private> high_sums: array<vec4f, TOKENS>;
// By half octet and lane.
var<workgroup> lane_sums: array<vec4f, 2u * GROUP_OCTETS * LANES>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let column = thread % GROUP_OCTETS;
  let lane = thread / GROUP_OCTETS;
  let first_token = group.y * TOKENS;
  gather(first_token, min(group.x * GROUP_OCTETS + column, BLOCKS * 4u - 1u), lane);
  for (var t = 0u; t < TOKENS; t++) {
    workgroupBarrier();
    lane_sums[2u * column * LANES + lane] = low_sums[t];
    lane_sums[(2u * column + 1u) * LANES + lane] = high_sums[t];
    workgroupBarrier();
    let quad = group.x * GROUP_OCTETS * 2u + thread;
    if (thread < 2u * GROUP_OCTETS && quad < BLOCKS * 8u && first_token + t < params.tokens) {
      var total = vec4f();
      for (var i = 0u; i < LANES; i++) { total += lane_sums[thread * LANES + i]; }
      if (BIAS) { total += bias[quad]; }
      // Columns that pad rows have weights of zero.
      hidden[(first_token + t) * HIDDEN_STRIDE + quad] += total;
    }
  }
}
