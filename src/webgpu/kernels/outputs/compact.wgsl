// Of one token, the neurons that fire with their squares, in their order: each workgroup fills the head of its own places.

struct Active {
  neuron: u32,
  value: f32,
}

@group(0) @binding(5) var<storage, read_write> active_neurons: array<Active>;
@group(0) @binding(6) var<storage, read_write> counts: array<u32>;
@group(0) @binding(7) var<storage, read_write> fired: atomic<u32>;

var<workgroup> activations: array<f32, GROUP_ROWS>;

fn finish(token: u32, row: u32, value: f32) {
  let positive = max(value, 0.0);
  activations[row % GROUP_ROWS] = positive * positive;
}

fn leave_out(local_row: u32) {
  activations[local_row] = 0.0;
}

fn conclude(group: u32, thread: u32) {
  workgroupBarrier();
  if (thread != 0u) { return; }
  var count = 0u;
  for (var i = 0u; i < GROUP_ROWS; i++) {
    if (activations[i] == 0.0) { continue; }
    active_neurons[group * GROUP_ROWS + count] = Active(group * GROUP_ROWS + i, activations[i]);
    count++;
  }
  counts[group] = count;
  atomicAdd(&fired, count);
}
