// Puts the ranges of a head together: one workgroup a head, one thread four columns.

@group(0) @binding(1) var<storage, read> ranges: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> attended: array<vec4f>;

const V_PAIRS = V_WORDS / 2u;
const STRIDE = HEADS * (V_PAIRS + 1u);

@compute @workgroup_size(V_PAIRS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let from_head = group.x * (V_PAIRS + 1u);
  var most = -3.0e38;
  for (var i = 0u; i < params.splits; i++) { most = max(most, ranges[from_head + i * STRIDE + V_PAIRS].x); }
  var mass = 0.0;
  var sum = vec4f();
  for (var i = 0u; i < params.splits; i++) {
    let range = ranges[from_head + i * STRIDE + V_PAIRS];
    let factor = exp(range.x - most);
    mass += range.y * factor;
    sum += ranges[from_head + i * STRIDE + thread] * factor;
  }
  attended[group.x * V_PAIRS + thread] = sum / mass;
}
