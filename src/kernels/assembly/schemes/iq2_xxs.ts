import { BLOCK_BYTES, BLOCK_SIZE, ROWS, SCALE } from '../../../core/scheme-constants/iq2_xxs';
import { IQ2_XXS_GRID } from '../../grid-addresses';
import { evenSigns, halfStepScale, storeSigned8 } from '../grids';
import { loadHalf } from '../half';

export function decodeIQ2_XXS(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source + SCALE);
    for (let part: usize = 0; part < 8; part++) {
      const at = source + ROWS + 8 * part;
      const word = load<u32>(at, 4);
      const scale = halfStepScale(d, word >>> 28, 0.25);
      for (let l: usize = 0; l < 4; l++) {
        const row = <usize>load<u8>(at + l) * 8 + IQ2_XXS_GRID;
        storeSigned8(target + 128 * part + 32 * l, row, evenSigns((word >>> (7 * <u32>l)) & 127), scale);
      }
    }
    source += BLOCK_BYTES;
    target += 1024;
  }
}
