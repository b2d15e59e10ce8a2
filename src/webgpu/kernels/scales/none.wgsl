// Values as they are.
fn scale(from_head: u32, token: u32, column: u32) -> f32 {
  return 1.0;
}
