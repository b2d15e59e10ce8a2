import { evenSigns, halfStepScale, IQ2_XXS_GRID, storeSigned8 } from '../grids';
import { loadHalf } from '../half';

const BLOCK_SIZE: i32 = 256;
const BLOCK_BYTES: usize = 66;

export function decodeIQ2_XXS(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source);
    for (let part: usize = 0; part < 8; part++) {
      const at = source + 2 + 8 * part;
      const word = load<u32>(at, 4);
      const scale = halfStepScale(d, word >>> 28, 0.25);
      for (let l: usize = 0; l < 4; l++) {
        const row = IQ2_XXS_GRID + 8 * <usize>load<u8>(at + l);
        storeSigned8(target + 128 * part + 32 * l, row, evenSigns((word >>> (7 * <u32>l)) & 127), scale);
      }
    }
    source += BLOCK_BYTES;
    target += 1024;
  }
}
