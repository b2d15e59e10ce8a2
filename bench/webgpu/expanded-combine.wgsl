// Puts the ranges of a head together: one workgroup a head, one thread two columns.

@group(0) @binding(1) var<storage, read> ranges: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> attended: array<vec2f>;

const STRIDE = HEADS * (V_WORDS + 1u);

@compute @workgroup_size(V_WORDS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let from_head = group.x * (V_WORDS + 1u);
  var most = -3.0e38;
  for (var i = 0u; i < params.splits; i++) { most = max(most, ranges[from_head + i * STRIDE + V_WORDS].x); }
  var mass = 0.0;
  var sum = vec2f();
  for (var i = 0u; i < params.splits; i++) {
    let range = ranges[from_head + i * STRIDE + V_WORDS];
    let factor = exp(range.x - most);
    mass += range.y * factor;
    sum += ranges[from_head + i * STRIDE + thread] * factor;
  }
  attended[group.x * V_WORDS + thread] = sum / mass;
}
