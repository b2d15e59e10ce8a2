// Sums over the lanes of rows through workgroup memory.

var<workgroup> shared_sums: array<vec3f, TOKENS * GROUP_THREADS>;

fn share(token: u32, thread: u32, value: vec3f) {
  shared_sums[token * GROUP_THREADS + thread] = value;
}

fn meet() {
  workgroupBarrier();
}

// Of all lanes of the thread's rows.
fn total(token: u32, thread: u32) -> vec3f {
  let first = token * GROUP_THREADS + thread - thread % LANES;
  var sum = vec3f();
  for (var i = 0u; i < LANES; i++) { sum += shared_sums[first + i]; }
  return sum;
}
