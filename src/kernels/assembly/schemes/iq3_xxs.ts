import { evenSigns, halfStepScale, IQ3_XXS_GRID, storeSigned4 } from '../grids';
import { loadHalf } from '../half';

const BLOCK_SIZE: i32 = 256;
const BLOCK_BYTES: usize = 98;
const SCALES_AND_SIGNS: usize = 66;

export function decodeIQ3_XXS(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source);
    for (let run: usize = 0; run < 64; run++) {
      const word = load<u32>(source + 4 * (run >> 3), SCALES_AND_SIGNS);
      const scale = halfStepScale(d, word >>> 28, 0.5);
      const signs = evenSigns((word >>> (7 * <u32>((run >> 1) & 3))) & 127) >> (run & 1 ? 4 : 0);
      storeSigned4(target + 16 * run, IQ3_XXS_GRID + 4 * <usize>load<u8>(source + run, 2), signs, scale);
    }
    source += BLOCK_BYTES;
    target += 1024;
  }
}
