import {
  BLOCK_BYTES,
  BLOCK_SIZE,
  GROUP_SCALES,
  HIGH_BITS,
  ROWS,
  SCALE,
  SIGNS,
} from '../../../core/scheme-constants/iq3_s';
import { IQ3_S_GRID } from '../../grid-addresses';
import { storeSigned4 } from '../grids';
import { loadHalf } from '../half';

export function decodeIQ3_S(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source + SCALE);
    for (let run: usize = 0; run < 64; run++) {
      const high = (<u32>load<u8>(source + (run >> 3), HIGH_BITS) >> <u32>(run & 7)) & 1;
      const row = <usize>(<u32>load<u8>(source + run, ROWS) | (high << 8));
      const scales = <u32>load<u8>(source + (run >> 4), GROUP_SCALES);
      const steps: u32 = 2 * ((scales >> (run & 8 ? 4 : 0)) & 15) + 1;
      const signs = <u32>load<u8>(source + (run >> 1), SIGNS) >> (run & 1 ? 4 : 0);
      storeSigned4(target + 16 * run, 4 * row + IQ3_S_GRID, signs, d * <f32>steps);
    }
    source += BLOCK_BYTES;
    target += 1024;
  }
}
