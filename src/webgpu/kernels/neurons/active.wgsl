// Of one token, the neurons that compact.wgsl has listed, a whole block of columns a thread. Lanes take blocks of neurons in
// turn, so that neurons ordered by how often they fire burden all alike.

struct Active {
  neuron: u32,
  value: f32,
}

@group(0) @binding(5) var<storage, read> active_neurons: array<Active>;
@group(0) @binding(6) var<storage, read> counts: array<u32>;

const GROUP_THREADS = 64u;
const THREAD_QUADS = 8u;

const BLOCKS_OF_NEURONS = (NEURONS + NEURON_BLOCK - 1u) / NEURON_BLOCK;

alias Sum = Block;

fn gather(token: u32, quad: u32, lane: u32) {
  let columns = quad / 8u;
  var block = lane / NEIGHBORS;
  if (block >= BLOCKS_OF_NEURONS) { return; }
  var count = counts[block];
  var next = lane % NEIGHBORS;
  loop {
    while (next >= count) {
      block += LANES / NEIGHBORS;
      if (block >= BLOCKS_OF_NEURONS) { return; }
      next -= count;
      count = counts[block];
    }
    let neuron = active_neurons[block * NEURON_BLOCK + next];
    next += NEIGHBORS;
    let weights = weight_block(neuron.neuron, columns);
    let factor = neuron.value * weight_scale(neuron.neuron, columns);
    sums[0].low += weights.low * factor;
    sums[0].high += weights.high * factor;
  }
}

fn sum_of(a: Sum, b: Sum) -> Sum {
  return Sum(a.low + b.low, a.high + b.high);
}

fn sum_of_neighbor(sum: Sum, mask: u32) -> Sum {
  return Sum(columns_of_neighbor(sum.low, mask), columns_of_neighbor(sum.high, mask));
}

fn columns_of_neighbor(m: mat4x4f, mask: u32) -> mat4x4f {
  return mat4x4f(exchanged(m[0], mask), exchanged(m[1], mask), exchanged(m[2], mask), exchanged(m[3], mask));
}

fn add_sum(token: u32, first_quad: u32, sum: Sum) {
  add_quad(token, first_quad, sum.low[0]);
  add_quad(token, first_quad + 1u, sum.low[1]);
  add_quad(token, first_quad + 2u, sum.low[2]);
  add_quad(token, first_quad + 3u, sum.low[3]);
  add_quad(token, first_quad + 4u, sum.high[0]);
  add_quad(token, first_quad + 5u, sum.high[1]);
  add_quad(token, first_quad + 6u, sum.high[2]);
  add_quad(token, first_quad + 7u, sum.high[3]);
}
