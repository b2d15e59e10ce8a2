// Blocks of 32 codes of 8 bits, two vec4u each; weight = code * scale.

fn weight_block(row: u32, block: u32) -> array<vec4f, 8> {
  let at = 2u * (row * BLOCKS + block);
  let a = values[at];
  let b = values[at + 1u];
  return array(
    vec4f(unpack4xI8(a.x)), vec4f(unpack4xI8(a.y)), vec4f(unpack4xI8(a.z)), vec4f(unpack4xI8(a.w)),
    vec4f(unpack4xI8(b.x)), vec4f(unpack4xI8(b.y)), vec4f(unpack4xI8(b.z)), vec4f(unpack4xI8(b.w)),
  );
}

fn weight_octet(row: u32, octet: u32) -> Octet {
  let words = values[2u * row * BLOCKS + octet / 2u];
  let pair = select(words.xy, words.zw, octet % 2u == 1u);
  return Octet(vec4f(unpack4xI8(pair.x)), vec4f(unpack4xI8(pair.y)));
}

fn weight_scale(row: u32, block: u32) -> f32 {
  let index = row * BLOCKS + block;
  return unpack2x16float(scales[index / 2u])[index % 2u];
}
