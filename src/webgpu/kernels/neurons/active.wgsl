// Of one token, the neurons that compact.wgsl has listed. Lanes take blocks in turn, so that neurons ordered by how often
// they fire burden all alike.

struct Active {
  neuron: u32,
  value: f32,
}

@group(0) @binding(5) var<storage, read> active_neurons: array<Active>;
@group(0) @binding(6) var<storage, read> counts: array<u32>;



fn gather(token: u32, octet: u32, lane: u32) {
  for (var block = lane; block < (NEURONS + NEURON_BLOCK - 1u) / NEURON_BLOCK; block += LANES) {
    let count = counts[block];
    for (var i = 0u; i < count; i++) {
      let neuron = active_neurons[block * NEURON_BLOCK + i];
      let weights = weight_octet(neuron.neuron, octet);
      let factor = neuron.value * weight_scale(neuron.neuron, octet / 4u);
      low_sums[0] += weights.low * factor;
      high_sums[0] += weights.high * factor;
    }
  }
}
