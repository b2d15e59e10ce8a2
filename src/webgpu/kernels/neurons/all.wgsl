// Of several tokens, all neurons that any of them sets off, an octet of columns a thread.

@group(0) @binding(5) var<storage, read> activations: array<f32>;

const GROUP_THREADS = 256u;
const THREAD_QUADS = 2u;

alias Sum = Octet;

fn gather(token: u32, quad: u32, lane: u32) {
  let octet = quad / 2u;
  for (var neuron = lane; neuron < NEURONS; neuron += LANES) {
    var values_of: array<f32, TOKENS>;
    var any = false;
    for (var t = 0u; t < TOKENS; t++) {
      values_of[t] = activations[(token + t) * NEURON_STRIDE + neuron];
      any = any || values_of[t] != 0.0;
    }
    if (!any) { continue; }
    let weights = weight_octet(neuron, octet);
    let scale = weight_scale(neuron, octet / 4u);
    for (var t = 0u; t < TOKENS; t++) {
      sums[t].low += weights.low * (values_of[t] * scale);
      sums[t].high += weights.high * (values_of[t] * scale);
    }
  }
}

fn sum_of(a: Sum, b: Sum) -> Sum {
  return Sum(a.low + b.low, a.high + b.high);
}

fn sum_of_neighbor(sum: Sum, mask: u32) -> Sum {
  return Sum(exchanged(sum.low, mask), exchanged(sum.high, mask));
}

fn add_sum(token: u32, first_quad: u32, sum: Sum) {
  add_quad(token, first_quad, sum.low);
  add_quad(token, first_quad + 1u, sum.high);
}
