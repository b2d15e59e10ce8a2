import { evenSigns, halfStepScale, IQ2_XS_GRID, storeSigned8 } from '../grids';
import { loadHalf } from '../half';

const BLOCK_SIZE: i32 = 256;
const BLOCK_BYTES: usize = 74;
const SCALES: usize = 66;

export function decodeIQ2_XS(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source);
    for (let run: usize = 0; run < 32; run++) {
      const word = <u32>load<u16>(source + 2 * run, 2);
      const scales = <u32>load<u8>(source + (run >> 2), SCALES);
      const scale = halfStepScale(d, (scales >> (run & 2 ? 4 : 0)) & 15, 0.25);
      const row = IQ2_XS_GRID + 8 * <usize>(word & 511);
      storeSigned8(target + 32 * run, row, evenSigns(word >> 9), scale);
    }
    source += BLOCK_BYTES;
    target += 1024;
  }
}
