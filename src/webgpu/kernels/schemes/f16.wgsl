// Halves, eight in a vec4u. They are read without the feature shader-f16.

fn weight_octet(row: u32, octet: u32) -> Octet {
  let words = values[4u * row * BLOCKS + octet];
  return Octet(
    vec4f(unpack2x16float(words.x), unpack2x16float(words.y)),
    vec4f(unpack2x16float(words.z), unpack2x16float(words.w)),
  );
}

fn weight_block(row: u32, block: u32) -> Block {
  let first = 4u * block;
  return block_of(
    weight_octet(row, first), weight_octet(row, first + 1u), weight_octet(row, first + 2u), weight_octet(row, first + 3u),
  );
}

fn weight_scale(row: u32, block: u32) -> f32 {
  return 1.0;
}
