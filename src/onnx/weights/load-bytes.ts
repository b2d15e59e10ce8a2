import { SCHEMES } from '../../core/scheme.ts';
import { writeUint16 } from '../../schemes/bits.ts';
import { initializerBytes } from '../check/value-type.ts';
import type { BytesRequest, ReadInitializer } from './weight-request.ts';

const { blockSize: BLOCK_SIZE, blockBytes: BLOCK_BYTES } = SCHEMES.Q8_0;
const ONE_AS_HALF = 0x3c00;
/** Turns a code c in uint8 into c - 128 in int8. */
const SIGN_BIT = 0x80;

/** Brings codes less 128 to `area` as blocks of Q8_0 with a scale of 1. */
export async function loadBytes(
  request: BytesRequest,
  area: Uint8Array,
  rowBytes: number,
  read: ReadInitializer,
): Promise<void> {
  const { rows, columns, transposed } = request;
  const size = initializerBytes(request.data);
  // Rows become longer: what is read to the end of the area has moved before it is written over.
  const file = transposed ? new Uint8Array(size) : area.subarray(area.length - size);
  await read(request.data, file);
  const [down, right] = transposed ? [1, rows] : [columns, 1];
  const codes = new Uint8Array(BLOCK_SIZE);
  for (let r = 0; r < rows; r++) {
    for (let first = 0; first < columns; first += BLOCK_SIZE) {
      const count = Math.min(BLOCK_SIZE, columns - first);
      for (let i = 0; i < count; i++) codes[i] = file[r * down + (first + i) * right]! ^ SIGN_BIT;
      codes.fill(0, count);
      const block = r * rowBytes + (first / BLOCK_SIZE) * BLOCK_BYTES;
      writeUint16(area, block, ONE_AS_HALF);
      area.set(codes, block + 2);
    }
  }
}
