// Blocks of 32 codes of 4 bits, one vec4u each; weight = (code - 8) * scale.

fn weight_word(word: u32) -> Octet {
  let even = vec4f(unpack4xU8(word & 0x0f0f0f0fu));
  let odd = vec4f(unpack4xU8((word >> 4u) & 0x0f0f0f0fu));
  return Octet(
    vec4f(even.x, odd.x, even.y, odd.y) - 8.0,
    vec4f(even.z, odd.z, even.w, odd.w) - 8.0,
  );
}

fn weight_block(row: u32, block: u32) -> Block {
  let words = values[row * BLOCKS + block];
  return block_of(weight_word(words.x), weight_word(words.y), weight_word(words.z), weight_word(words.w));
}

fn weight_octet(row: u32, octet: u32) -> Octet {
  let words = values[row * BLOCKS + octet / 4u];
  let pair = select(words.xy, words.zw, (octet & 2u) != 0u);
  return weight_word(select(pair.x, pair.y, (octet & 1u) != 0u));
}

fn weight_scale(row: u32, block: u32) -> f32 {
  let index = row * BLOCKS + block;
  return unpack2x16float(scales[index / 2u])[index % 2u];
}
