// Sums of the places of threads over lanes: wrong where subgroups do not hold neighbours in order.

@group(0) @binding(1) var<storage, read_write> sums: array<f32>;

const TOKENS = 1u;

@compute @workgroup_size(GROUP_THREADS)
fn main(@builtin(local_invocation_index) thread: u32) {
  share(0u, thread, vec3f(f32(thread * thread)));
  meet();
  sums[thread] = total(0u, thread).x;
}
