// Sums over the lanes of rows by exchange between neighbours, for subgroups of 4 threads and more that lie in order.

var<private> own: array<vec3f, TOKENS>;

fn share(token: u32, thread: u32, value: vec3f) {
  own[token] = value;
}

fn meet() {}

// Of all lanes of the thread's rows. All threads must ask for the same tokens.
fn total(token: u32, thread: u32) -> vec3f {
  let pair = own[token] + subgroupShuffleXor(own[token], 1u);
  return pair + subgroupShuffleXor(pair, 2u);
}
