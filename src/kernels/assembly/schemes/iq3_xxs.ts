import {
  BLOCK_BYTES,
  BLOCK_SIZE,
  ROWS,
  SCALE,
  SCALES_AND_SIGNS,
} from '../../../core/scheme-constants/iq3_xxs';
import { IQ3_XXS_GRID } from '../../grid-addresses';
import { evenSigns, halfStepScale, storeSigned4 } from '../grids';
import { loadHalf } from '../half';

export function decodeIQ3_XXS(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source + SCALE);
    for (let run: usize = 0; run < 64; run++) {
      const word = load<u32>(source + 4 * (run >> 3), SCALES_AND_SIGNS);
      const scale = halfStepScale(d, word >>> 28, 0.5);
      const signs = evenSigns((word >>> (7 * <u32>((run >> 1) & 3))) & 127) >> (run & 1 ? 4 : 0);
      storeSigned4(target + 16 * run, 4 * <usize>load<u8>(source + run, ROWS) + IQ3_XXS_GRID, signs, scale);
    }
    source += BLOCK_BYTES;
    target += 1024;
  }
}
