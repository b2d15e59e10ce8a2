// Ranges of attend.wgsl, one a token: divided by their mass, which lies behind the greatest score.
fn scale(from_head: u32, token: u32, column: u32) -> f32 {
  return 1.0 / x[from_head + 2u * LATENT_WORDS + 1u];
}
