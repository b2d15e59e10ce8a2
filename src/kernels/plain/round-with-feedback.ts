import { readUint16 } from '../../schemes/bits.ts';
import { fromHalf } from '../../schemes/half.ts';
import { nearestInt } from '../../schemes/nearest-int.ts';
import { q4_0 } from '../../schemes/q4_0.ts';
import { ROW_TILE } from '../jobs.ts';
import type { PlainKernel } from './kernel.ts';
import { decodeRow } from './rows.ts';

const { fround } = Math;
const BLOCK_SIZE = 32;
const BLOCK_BYTES = 18;

export const roundWithFeedback: PlainKernel<'roundWithFeedback'> = ({ views, scratch }, job, tiles) => {
  const { columns } = job;
  const factor = views.floats(job.factor, (columns * (columns - 1)) / 2);
  const importance = job.importance === 0 ? undefined : views.floats(job.importance, columns);
  const original = views.floats(scratch, columns);
  const corrected = views.floats(scratch + 4 * columns, columns);
  const end = Math.min(job.rows, tiles.end * ROW_TILE);
  for (let r = tiles.first * ROW_TILE; r < end; r++) {
    decodeRow(views, job.sourceScheme, job.source + r * job.sourceRowBytes, original);
    corrected.set(original);
    const target = views.bytes(job.target + r * job.targetRowBytes, job.targetRowBytes);
    let coefficients = 0;
    for (let c = 0; c < columns; c += BLOCK_SIZE) {
      const block = (c / BLOCK_SIZE) * BLOCK_BYTES;
      q4_0.encode!(corrected, c, target, block, BLOCK_SIZE, importance?.subarray(c, c + BLOCK_SIZE));
      const d = fromHalf(readUint16(target, block));
      const inverse = d === 0 ? 0 : fround(1 / d);
      for (let j = 0; j < BLOCK_SIZE; j++) {
        const code = Math.max(-8, Math.min(7, nearestInt(fround(corrected[c + j]! * inverse))));
        writeNibble(target, block + 2, j, code + 8);
        const error = fround(original[c + j]! - fround(code * d));
        for (let k = c + j + 1; k < columns; k++, coefficients++) {
          corrected[k]! += fround(error * factor[coefficients]!);
        }
      }
    }
  }
};

/** Code j of a block of Q4_0: those from 16 on lie in the upper halves. */
function writeNibble(target: Uint8Array, codes: number, j: number, code: number): void {
  const byte = codes + (j & 15);
  target[byte] = j < 16 ? (target[byte]! & 0xf0) | code : (target[byte]! & 15) | (code << 4);
}
