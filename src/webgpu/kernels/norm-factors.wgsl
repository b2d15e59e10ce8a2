// 1 / rms of what an RMSNorm reads: one workgroup a token.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> factors: array<f32>;

const THREADS = 64u;

var<workgroup> squares: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let from_token = group.x * X_STRIDE + X_OFFSET;
  var square = 0.0;
  for (var i = thread; i < COLUMNS; i += THREADS) {
    let v = x[from_token + i];
    square += v * v;
  }
  squares[thread] = square;
  workgroupBarrier();
  if (thread != 0u) { return; }
  var total = 0.0;
  for (var i = 0u; i < THREADS; i++) { total += squares[i]; }
  factors[group.x] = inverseSqrt(total / f32(COLUMNS) + EPSILON);
}
