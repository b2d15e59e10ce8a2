/**
 * The twelve bytes of Q4_K and Q5_K that hold eight scales and eight mins of 6 bits: the first four of each in the
 * low 6 bits of bytes 0-3 and 4-7, the others' low nibbles in bytes 8-11 and their high bit pairs above the first.
 */
export const K_SCALES_BYTES = 12;

export function packScales(scales: Uint8Array, mins: Uint8Array, target: Uint8Array, at: number): void {
  for (let j = 0; j < 4; j++) {
    const [scale, min] = [scales[j + 4]!, mins[j + 4]!];
    target[at + j] = scales[j]! | ((scale >> 4) << 6);
    target[at + 4 + j] = mins[j]! | ((min >> 4) << 6);
    target[at + 8 + j] = (scale & 15) | ((min & 15) << 4);
  }
}

export function unpackScales(source: Uint8Array, at: number, scales: Uint8Array, mins: Uint8Array): void {
  for (let j = 0; j < 4; j++) {
    const [scale, min, low] = [source[at + j]!, source[at + 4 + j]!, source[at + 8 + j]!];
    scales[j] = scale & 63;
    mins[j] = min & 63;
    scales[j + 4] = (low & 15) | ((scale >> 6) << 4);
    mins[j + 4] = (low >> 4) | ((min >> 6) << 4);
  }
}
