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

fn gather(token: u32, quad: u32, lane: u32) {
  let columns = quad / 8u;
  for (var block = lane; block < (NEURONS + NEURON_BLOCK - 1u) / NEURON_BLOCK; block += LANES) {
    let count = counts[block];
    for (var i = 0u; i < count; i++) {
      let neuron = active_neurons[block * NEURON_BLOCK + i];
      let weights = weight_block(neuron.neuron, columns);
      let factor = neuron.value * weight_scale(neuron.neuron, columns);
      for (var q = 0u; q < 8u; q++) { sums[q] += weights[q] * factor; }
    }
  }
}
