// Sums over the lanes of a row through workgroup memory.

var<workgroup> shared_sums: array<f32, SLOTS * GROUP_THREADS>;

fn share(slot: u32, thread: u32, value: f32) {
  shared_sums[slot * GROUP_THREADS + thread] = value;
}

fn meet() {
  workgroupBarrier();
}

// Of all lanes of the thread's row.
fn total(slot: u32, thread: u32) -> f32 {
  let first = slot * GROUP_THREADS + thread - thread % LANES;
  var sum = 0.0;
  for (var i = 0u; i < LANES; i++) { sum += shared_sums[first + i]; }
  return sum;
}
