import { BLOCK_BYTES, BLOCK_SIZE, GROUP_SCALES, ROWS, SCALE } from '../../../core/scheme-constants/iq2_xs';
import { IQ2_XS_GRID } from '../../grid-addresses';
import { evenSigns, halfStepScale, storeSigned8 } from '../grids';
import { loadHalf } from '../half';

export function decodeIQ2_XS(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source + SCALE);
    for (let run: usize = 0; run < 32; run++) {
      const word = <u32>load<u16>(source + 2 * run, ROWS);
      const scales = <u32>load<u8>(source + (run >> 2), GROUP_SCALES);
      const scale = halfStepScale(d, (scales >> (run & 2 ? 4 : 0)) & 15, 0.25);
      const row = <usize>(word & 511) * 8 + IQ2_XS_GRID;
      storeSigned8(target + 32 * run, row, evenSigns(word >> 9), scale);
    }
    source += BLOCK_BYTES;
    target += 1024;
  }
}
