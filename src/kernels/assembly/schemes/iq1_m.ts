import { BLOCK_BYTES, BLOCK_SIZE, HIGH_BITS, SCALES } from '../../../core/scheme-constants/iq1_m';
import { SHIFT } from '../../../core/scheme-constants/iq1_s';
import { IQ1_GRID } from '../../grid-addresses';
import { storeShifted8 } from '../grids';
import { halfToFloat } from '../half';

export function decodeIQ1_M(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = superScale(source + SCALES);
    for (let run: usize = 0; run < 32; run++) {
      const nibble = <u32>load<u8>(source + (run >> 1), HIGH_BITS) >> (run & 1 ? 4 : 0);
      const row = <usize>(<u32>load<u8>(source + run) | ((nibble & 7) << 8));
      const scales = <u32>load<u16>(source + 2 * (run >> 3), SCALES);
      const steps: u32 = 2 * ((scales >> (3 * <u32>((run >> 1) & 3))) & 7) + 1;
      const shift = <f32>(nibble & 8 ? -SHIFT : SHIFT);
      storeShifted8(target + 32 * run, 8 * row + IQ1_GRID, shift, d * <f32>steps);
    }
    source += BLOCK_BYTES;
    target += 1024;
  }
}

/** The half whose nibbles are the upper ones of four words, lowest first. */
function superScale(words: usize): f32 {
  let half: i32 = 0;
  for (let k: usize = 0; k < 4; k++) half |= (<i32>load<u8>(words + 2 * k, 1) >> 4) << (4 * <i32>k);
  return f32x4.extract_lane(halfToFloat(i32x4.splat(half)), 0);
}
