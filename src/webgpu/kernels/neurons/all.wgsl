// Of several tokens, all neurons that any of them sets off.

@group(0) @binding(5) var<storage, read> activations: array<f32>;

fn gather(token: u32, octet: u32, lane: u32) {
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
      low_sums[t] += weights.low * (values_of[t] * scale);
      high_sums[t] += weights.high * (values_of[t] * scale);
    }
  }
}
