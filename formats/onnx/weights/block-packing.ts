import {
  type BlockScheme,
  codeBytes,
  joinCodes,
  SCALE_BYTES,
  splitCodes,
} from '../../../src/schemes/block-planes.ts';
import { fromHalf } from '../../../src/schemes/half.ts';

/** Takes the codes out of blocks. Those of `MatMulNBits` are unsigned around 2^(bits - 1). */
export function packBlocks(scheme: BlockScheme, blocks: Uint8Array, codes: Uint8Array): void {
  splitCodes(scheme, blocks, codes);
  if (scheme === 'Q8_0') flipSigns(codes);
}

/**
 * The inverse of `packBlocks`: writes codes between the scales of blocks, and flips the signs of `codes` on
 * the way.
 */
export function unpackBlocks(scheme: BlockScheme, codes: Uint8Array, blocks: Uint8Array): void {
  if (scheme === 'Q8_0') flipSigns(codes);
  joinCodes(scheme, codes, blocks);
}

/** Decodes the scales of blocks into f32. */
export function packFloatScales(scheme: BlockScheme, blocks: Uint8Array, scales: Uint8Array): void {
  const step = SCALE_BYTES + codeBytes(scheme);
  const values = new Float32Array(scales.buffer, scales.byteOffset, scales.length / 4);
  for (let i = 0, from = 0; i < values.length; i++, from += step) {
    values[i] = fromHalf(blocks[from]! | (blocks[from + 1]! << 8));
  }
}

/** Signed around 0 to unsigned around 128, and back. */
function flipSigns(codes: Uint8Array): void {
  for (let i = 0; i < codes.length; i++) codes[i]! ^= 0x80;
}
