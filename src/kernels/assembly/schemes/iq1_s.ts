import { IQ1_GRID, storeShifted8 } from '../grids';
import { loadHalf } from '../half';

const BLOCK_SIZE: i32 = 256;
const BLOCK_BYTES: usize = 50;
const HIGH_BITS: usize = 34;
export const IQ1_SHIFT: f32 = 0.125;

export function decodeIQ1_S(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source);
    for (let run: usize = 0; run < 32; run++) {
      const word = <u32>load<u16>(source + 2 * (run >> 2), HIGH_BITS);
      const high = (word >> (3 * <u32>(run & 3))) & 7;
      const row = <usize>(<u32>load<u8>(source + run, 2) | (high << 8));
      const steps: u32 = 2 * ((word >> 12) & 7) + 1;
      const shift = word & 0x8000 ? -IQ1_SHIFT : IQ1_SHIFT;
      storeShifted8(target + 32 * run, IQ1_GRID + 8 * row, shift, d * <f32>steps);
    }
    source += BLOCK_BYTES;
    target += 1024;
  }
}
