import { halfStepScale, IQ2_S_GRID, storeSigned8 } from '../grids';
import { loadHalf } from '../half';

const BLOCK_SIZE: i32 = 256;
const BLOCK_BYTES: usize = 82;
const SIGNS: usize = 34;
const HIGH_BITS: usize = 66;
const SCALES: usize = 74;

export function decodeIQ2_S(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source);
    for (let run: usize = 0; run < 32; run++) {
      const high = (<u32>load<u8>(source + (run >> 2), HIGH_BITS) >> (2 * <u32>(run & 3))) & 3;
      const row = <usize>(<u32>load<u8>(source + run, 2) | (high << 8));
      const scales = <u32>load<u8>(source + (run >> 2), SCALES);
      const scale = halfStepScale(d, (scales >> (run & 2 ? 4 : 0)) & 15, 0.25);
      storeSigned8(target + 32 * run, IQ2_S_GRID + 8 * row, load<u8>(source + run, SIGNS), scale);
    }
    source += BLOCK_BYTES;
    target += 1024;
  }
}
