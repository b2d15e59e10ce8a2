import { IQ3_S_GRID, storeSigned4 } from '../grids';
import { loadHalf } from '../half';

const BLOCK_SIZE: i32 = 256;
const BLOCK_BYTES: usize = 110;
const HIGH_BITS: usize = 66;
const SIGNS: usize = 74;
const SCALES: usize = 106;

export function decodeIQ3_S(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source);
    for (let run: usize = 0; run < 64; run++) {
      const high = (<u32>load<u8>(source + (run >> 3), HIGH_BITS) >> <u32>(run & 7)) & 1;
      const row = <usize>(<u32>load<u8>(source + run, 2) | (high << 8));
      const scales = <u32>load<u8>(source + (run >> 4), SCALES);
      const steps: u32 = 2 * ((scales >> (run & 8 ? 4 : 0)) & 15) + 1;
      const signs = <u32>load<u8>(source + (run >> 1), SIGNS) >> (run & 1 ? 4 : 0);
      storeSigned4(target + 16 * run, IQ3_S_GRID + 4 * row, signs, d * <f32>steps);
    }
    source += BLOCK_BYTES;
    target += 1024;
  }
}
