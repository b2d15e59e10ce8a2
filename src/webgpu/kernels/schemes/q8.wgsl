// Blocks of 32 codes of 8 bits, two vec4u each; weight = code * scale.

fn weight_pair(words: vec2u) -> Octet {
  return Octet(vec4f(unpack4xI8(words.x)), vec4f(unpack4xI8(words.y)));
}

fn weight_block(row: u32, block: u32) -> Block {
  let at = 2u * (row * BLOCKS + block);
  let a = values[at];
  let b = values[at + 1u];
  return block_of(weight_pair(a.xy), weight_pair(a.zw), weight_pair(b.xy), weight_pair(b.zw));
}

fn weight_octet(row: u32, octet: u32) -> Octet {
  let words = values[2u * row * BLOCKS + octet / 2u];
  return weight_pair(select(words.xy, words.zw, octet % 2u == 1u));
}

fn weight_scale(row: u32, block: u32) -> f32 {
  let index = row * BLOCKS + block;
  return unpack2x16float(scales[index / 2u])[index % 2u];
}
