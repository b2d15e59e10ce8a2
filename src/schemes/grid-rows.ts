const { fround } = Math;

/** Writes a row of a grid times `scale`, with the sign bits of `signs`, first weight lowest. */
export function putSignedRow(
  grid: Int8Array,
  first: number,
  length: 4 | 8,
  signs: number,
  scale: number,
  target: Float32Array,
  at: number,
): void {
  for (let j = 0; j < length; j++) {
    const value = fround(scale * grid[first + j]!);
    target[at + j] = (signs >> j) & 1 ? -value : value;
  }
}

/** Scale of IQ2 and IQ3_XXS: `part` of a step of d for each code, half a step above. */
export function halfStepScale(d: number, code: number, part: number): number {
  return fround(fround(d * (0.5 + code)) * part);
}
