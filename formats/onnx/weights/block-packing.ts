import type { SchemeName } from '../../../src/core/scheme.ts';
import { fromHalf } from '../../../src/schemes/half.ts';

/** Weights of a block of Q4_0 and of Q8_0. */
export const BLOCK_SIZE = 32;

/** Schemes of blocks that `MatMulNBits` computes with as they are, in another order of bytes. */
export type BlockScheme = Extract<SchemeName, 'Q4_0' | 'Q8_0'>;

export const BLOCK_BITS: Readonly<Record<BlockScheme, 4 | 8>> = { Q4_0: 4, Q8_0: 8 };

const SCALE_BYTES = 2;

/** Bytes of the codes of a block. */
export function codeBytes(scheme: BlockScheme): number {
  return (BLOCK_SIZE * BLOCK_BITS[scheme]) / 8;
}

/**
 * Takes blocks of an f16 scale and codes apart. Codes of `MatMulNBits` are unsigned around 2^(bits - 1), and of 4-bit ones
 * neighbours share a byte, the first in its lower half; those of Q4_0 share it with the one 16 places on.
 */
export function packBlocks(scheme: BlockScheme, blocks: Uint8Array, codes: Uint8Array): void {
  const width = codeBytes(scheme);
  const pack = scheme === 'Q4_0' ? packNibbles : packBytes;
  for (let from = SCALE_BYTES, to = 0; to < codes.length; from += SCALE_BYTES + width, to += width) {
    pack(blocks, from, codes, to);
  }
}

/** The inverse of `packBlocks`: writes codes between the scales of blocks. */
export function unpackBlocks(scheme: BlockScheme, codes: Uint8Array, blocks: Uint8Array): void {
  const width = codeBytes(scheme);
  const unpack = scheme === 'Q4_0' ? unpackNibbles : packBytes;
  for (let to = SCALE_BYTES, from = 0; from < codes.length; to += SCALE_BYTES + width, from += width) {
    unpack(codes, from, blocks, to);
  }
}

/** Copies the f16 scales of blocks. */
export function packHalfScales(scheme: BlockScheme, blocks: Uint8Array, scales: Uint8Array): void {
  const step = SCALE_BYTES + codeBytes(scheme);
  for (let from = 0, to = 0; to < scales.length; from += step, to += SCALE_BYTES) {
    scales[to] = blocks[from]!;
    scales[to + 1] = blocks[from + 1]!;
  }
}

/** Decodes the scales of blocks into f32. */
export function packFloatScales(scheme: BlockScheme, blocks: Uint8Array, scales: Uint8Array): void {
  const step = SCALE_BYTES + codeBytes(scheme);
  const values = new Float32Array(scales.buffer, scales.byteOffset, scales.length / 4);
  for (let i = 0, from = 0; i < values.length; i++, from += step) {
    values[i] = fromHalf(blocks[from]! | (blocks[from + 1]! << 8));
  }
}

function packNibbles(source: Uint8Array, from: number, target: Uint8Array, to: number): void {
  for (let i = 0; i < 8; i++) {
    const [first, second] = [source[from + 2 * i]!, source[from + 2 * i + 1]!];
    target[to + i] = (first & 15) | ((second & 15) << 4);
    target[to + i + 8] = (first >> 4) | (second & 0xf0);
  }
}

function unpackNibbles(source: Uint8Array, from: number, target: Uint8Array, to: number): void {
  for (let i = 0; i < 8; i++) {
    const [lower, upper] = [source[from + i]!, source[from + i + 8]!];
    target[to + 2 * i] = (lower & 15) | ((upper & 15) << 4);
    target[to + 2 * i + 1] = (lower >> 4) | (upper & 0xf0);
  }
}

/** Signed around 0 to unsigned around 128, and back. */
function packBytes(source: Uint8Array, from: number, target: Uint8Array, to: number): void {
  for (let i = 0; i < BLOCK_SIZE; i++) target[to + i] = source[from + i]! ^ 0x80;
}
