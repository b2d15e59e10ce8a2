import { BLOCK_BYTES, BLOCK_SIZE, HIGH_BITS, ROWS, SCALE, SHIFT } from '../../../core/scheme-constants/iq1_s';
import { IQ1_GRID } from '../../grid-addresses';
import { storeShifted8 } from '../grids';
import { loadHalf } from '../half';

export function decodeIQ1_S(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source + SCALE);
    for (let run: usize = 0; run < 32; run++) {
      const word = <u32>load<u16>(source + 2 * (run >> 2), HIGH_BITS);
      const high = (word >> (3 * <u32>(run & 3))) & 7;
      const row = <usize>(<u32>load<u8>(source + run, ROWS) | (high << 8));
      const steps: u32 = 2 * ((word >> 12) & 7) + 1;
      const shift = <f32>(word & 0x8000 ? -SHIFT : SHIFT);
      storeShifted8(target + 32 * run, 8 * row + IQ1_GRID, shift, d * <f32>steps);
    }
    source += BLOCK_BYTES;
    target += 1024;
  }
}
