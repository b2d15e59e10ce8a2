import { SCHEMES, type SchemeName } from '../../core/scheme.ts';
import { writeUint16 } from '../../schemes/bits.ts';
import { fromHalf, toHalf } from '../../schemes/half.ts';
import { initializerBytes } from '../check/value-type.ts';
import type { Initializer } from '../graph.ts';
import { decodeElements, halves } from '../value.ts';
import type { BlocksRequest, ReadInitializer } from './weight-request.ts';

/** Weights of a block of Q4_0 and Q8_0. */
const UNIT = SCHEMES.Q4_0.blockSize;
const SCALE_BYTES = 2;

/** Whether every scale is the value of an f16, as the blocks of ggml hold them. */
export async function scalesAreHalves(scales: Initializer, read: ReadInitializer): Promise<boolean> {
  if (scales.type === 'float16') return true;
  const values = decodeElements(scales.type, await bytesOf(scales, read)) as Float32Array;
  return values.every((scale) => fromHalf(toHalf(scale)) === scale);
}

/**
 * Brings codes and scales to `area`: as Q4_0 or Q8_0, whose codes stand for the same integers, a scale every
 * 32 weights; or decoded to F32.
 */
export async function loadBlocks(
  request: BlocksRequest,
  scheme: SchemeName,
  area: Uint8Array,
  read: ReadInitializer,
): Promise<void> {
  const scales = await bytesOf(request.scales, read);
  if (scheme === 'F32') {
    const codes = await bytesOf(request.data, read);
    const floats = new Float32Array(area.buffer, area.byteOffset, area.length / 4);
    decodeBlocks(request, codes, decodeElements(request.scales.type, scales) as Float32Array, floats);
    return;
  }
  const bits = scaleBits(request.scales, scales);
  // Blocks become longer: what is read to the end of the area has moved before it is written over.
  const file = area.subarray(area.length - initializerBytes(request.data));
  await read(request.data, file);
  if (scheme === 'Q4_0') repackNibbles(file, bits, request.blockSize / UNIT, area);
  else repackBytes(file, bits, request.blockSize / UNIT, area);
}

function scaleBits({ type }: Initializer, bytes: Uint8Array): Uint16Array {
  if (type === 'float16') return halves(bytes);
  const values = decodeElements(type, bytes) as Float32Array;
  // Ten times as fast as `from` with a function, and there is one for every 32 weights.
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) bits[i] = toHalf(values[i]!);
  return bits;
}

async function bytesOf(initializer: Initializer, read: ReadInitializer): Promise<Uint8Array> {
  const bytes = new Uint8Array(initializerBytes(initializer));
  await read(initializer, bytes);
  return bytes;
}

/** Neighbours in one byte become codes that are 16 apart. */
function repackNibbles(file: Uint8Array, scales: Uint16Array, unitsAScale: number, area: Uint8Array): void {
  const { blockBytes } = SCHEMES.Q4_0;
  const half = UNIT / 4;
  const packed = new Uint8Array(UNIT / 2);
  for (let block = 0; block * packed.length < file.length; block++) {
    const from = block * packed.length;
    for (let j = 0; j < half; j++) {
      const [low, high] = [file[from + j]!, file[from + half + j]!];
      packed[2 * j] = (low & 15) | (high << 4);
      packed[2 * j + 1] = (low >> 4) | (high & 0xf0);
    }
    writeUint16(area, block * blockBytes, scales[Math.floor(block / unitsAScale)]!);
    area.set(packed, block * blockBytes + SCALE_BYTES);
  }
}

/** Turns a code c in uint8 into c - 128 in int8. */
const SIGN_BIT = 0x80;

function repackBytes(file: Uint8Array, scales: Uint16Array, unitsAScale: number, area: Uint8Array): void {
  const { blockBytes } = SCHEMES.Q8_0;
  const codes = new Uint8Array(UNIT);
  for (let block = 0; block * UNIT < file.length; block++) {
    for (let i = 0; i < UNIT; i++) codes[i] = file[block * UNIT + i]! ^ SIGN_BIT;
    writeUint16(area, block * blockBytes, scales[Math.floor(block / unitsAScale)]!);
    area.set(codes, block * blockBytes + SCALE_BYTES);
  }
}

function decodeBlocks(
  { bits, blockSize }: BlocksRequest,
  codes: Uint8Array,
  scales: Float32Array,
  target: Float32Array,
): void {
  const [mask, zero] = [2 ** bits - 1, 2 ** (bits - 1)];
  for (let i = 0; i < target.length; i++) {
    const code = (codes[Math.floor((i * bits) / 8)]! >> ((i * bits) % 8)) & mask;
    target[i] = (code - zero) * scales[Math.floor(i / blockSize)]!;
  }
}
