// Weights of 8 columns.
struct Octet {
  low: vec4f,
  high: vec4f,
}

// Of 32 columns, four in a vector. Matrices, since compilers keep them in registers, and arrays often not.
struct Block {
  low: mat4x4f,
  high: mat4x4f,
}

fn block_of(a: Octet, b: Octet, c: Octet, d: Octet) -> Block {
  return Block(mat4x4f(a.low, a.high, b.low, b.high), mat4x4f(c.low, c.high, d.low, d.high));
}

fn times(a: Block, b: Block) -> Block {
  return Block(
    mat4x4f(a.low[0] * b.low[0], a.low[1] * b.low[1], a.low[2] * b.low[2], a.low[3] * b.low[3]),
    mat4x4f(a.high[0] * b.high[0], a.high[1] * b.high[1], a.high[2] * b.high[2], a.high[3] * b.high[3]),
  );
}

fn inner_product(a: Block, b: Block) -> f32 {
  let product = times(a, b);
  return dot(sum_of_columns(product.low) + sum_of_columns(product.high), vec4f(1.0));
}

fn sum_of_columns(m: mat4x4f) -> vec4f {
  return m[0] + m[1] + m[2] + m[3];
}
