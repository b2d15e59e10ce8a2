// cos and sin by position and pair, of angles computed in f64: those of WGSL are too coarse.
fn rotate(pair: vec2f, position: u32, index: u32) -> vec2f {
  let turn = rope[position * ROPE_PAIRS + index];
  return vec2f(pair.x * turn.x - pair.y * turn.y, pair.x * turn.y + pair.y * turn.x);
}

// Where the two halves of a pair lie.
fn pair_places(index: u32) -> vec2u {
  if (INTERLEAVED) { return vec2u(2u * index, 2u * index + 1u); }
  return vec2u(index, index + ROPE_PAIRS);
}
