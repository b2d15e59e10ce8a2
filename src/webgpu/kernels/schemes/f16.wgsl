// Halves, eight in a vec4u. They are read without the feature shader-f16.

fn weight_octet(row: u32, octet: u32) -> Octet {
  let words = values[4u * row * BLOCKS + octet];
  return Octet(
    vec4f(unpack2x16float(words.x), unpack2x16float(words.y)),
    vec4f(unpack2x16float(words.z), unpack2x16float(words.w)),
  );
}

fn weight_block(row: u32, block: u32) -> array<vec4f, 8> {
  let a = weight_octet(row, 4u * block);
  let b = weight_octet(row, 4u * block + 1u);
  let c = weight_octet(row, 4u * block + 2u);
  let d = weight_octet(row, 4u * block + 3u);
  return array(a.low, a.high, b.low, b.high, c.low, c.high, d.low, d.high);
}

fn weight_scale(row: u32, block: u32) -> f32 {
  return 1.0;
}
