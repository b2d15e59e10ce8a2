import {
  BLOCK_BYTES,
  BLOCK_SIZE,
  GROUP_SCALES,
  HIGH_BITS,
  ROWS,
  SCALE,
  SIGNS,
} from '../../../core/scheme-constants/iq2_s';
import { IQ2_S_GRID } from '../../grid-addresses';
import { halfStepScale, storeSigned8 } from '../grids';
import { loadHalf } from '../half';

export function decodeIQ2_S(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source + SCALE);
    for (let run: usize = 0; run < 32; run++) {
      const high = (<u32>load<u8>(source + (run >> 2), HIGH_BITS) >> (2 * <u32>(run & 3))) & 3;
      const row = <usize>(<u32>load<u8>(source + run, ROWS) | (high << 8));
      const scales = <u32>load<u8>(source + (run >> 2), GROUP_SCALES);
      const scale = halfStepScale(d, (scales >> (run & 2 ? 4 : 0)) & 15, 0.25);
      storeSigned8(target + 32 * run, 8 * row + IQ2_S_GRID, load<u8>(source + run, SIGNS), scale);
    }
    source += BLOCK_BYTES;
    target += 1024;
  }
}
