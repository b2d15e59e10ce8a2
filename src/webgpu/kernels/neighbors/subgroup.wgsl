// Lanes that add up by exchange, for subgroups of 4 threads and more that lie in order.

const NEIGHBORS = 4u;

fn exchanged(value: vec4f, mask: u32) -> vec4f {
  return subgroupShuffleXor(value, mask);
}
