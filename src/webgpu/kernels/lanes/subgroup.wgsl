// Sums over the lanes of a row by exchange between neighbours, for subgroups of 4 threads and more that lie in order.

var<private> own: array<f32, SLOTS>;

fn share(slot: u32, thread: u32, value: f32) {
  own[slot] = value;
}

fn meet() {}

// Of all lanes of the thread's row. All threads must ask for the same slots.
fn total(slot: u32, thread: u32) -> f32 {
  let pair = own[slot] + subgroupShuffleXor(own[slot], 1u);
  return pair + subgroupShuffleXor(pair, 2u);
}
