/**
 * An orthogonal matrix H D of any size, applied to `count` vectors at once: random signs D, then a
 * Walsh-Hadamard transform of every run of the largest power of two that divides the size, scaled to keep
 * lengths. Element i of vector k lies at `values[i * stride + k]`.
 */
export function rotate(
  values: Float32Array,
  size: number,
  stride: number,
  count: number,
  signs: Float32Array,
): void {
  const run = size & -size;
  const scale = 1 / Math.sqrt(run);
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < count; k++) values[i * stride + k]! *= signs[i]! * scale;
  }
  for (let first = 0; first < size; first += run) {
    for (let half = 1; half < run; half *= 2) {
      for (let block = first; block < first + run; block += 2 * half) {
        for (let i = block; i < block + half; i++) butterfly(values, i * stride, (i + half) * stride, count);
      }
    }
  }
}

function butterfly(values: Float32Array, a: number, b: number, count: number): void {
  for (let k = 0; k < count; k++) {
    const [x, y] = [values[a + k]!, values[b + k]!] as const;
    values[a + k] = x + y;
    values[b + k] = x - y;
  }
}

/** Signs by a seed: the bits of a xorshift generator, the same everywhere. */
export function signsOf(seed: number, size: number): Float32Array {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  return Float32Array.from({ length: size }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 0x40000000 ? -1 : 1;
  });
}
