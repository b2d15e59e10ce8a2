import type { SchemeName } from '../core/scheme.ts';
import * as q4_0 from '../core/scheme-constants/q4_0.ts';

/** Weights of a block of Q4_0 and of Q8_0. */
export const BLOCK_SIZE = q4_0.BLOCK_SIZE;

/** Schemes whose blocks are an f16 scale and codes, which can lie in planes of their own. */
export type BlockScheme = Extract<SchemeName, 'Q4_0' | 'Q8_0'>;

export const BLOCK_BITS: Readonly<Record<BlockScheme, 4 | 8>> = { Q4_0: 4, Q8_0: 8 };

export const SCALE_BYTES = q4_0.CODES - q4_0.SCALE;

/** Bytes of the codes of a block. */
export function codeBytes(scheme: BlockScheme): number {
  return (BLOCK_SIZE * BLOCK_BITS[scheme]) / 8;
}

/**
 * Takes the codes out of blocks. In a plane neighbours of 4 bits share a byte, the first in its lower half;
 * those of Q4_0 share it with the one 16 places on. Codes of 8 bits stay as they are, signed.
 */
export function splitCodes(scheme: BlockScheme, blocks: Uint8Array, codes: Uint8Array): void {
  const width = codeBytes(scheme);
  for (let from = SCALE_BYTES, to = 0; to < codes.length; from += SCALE_BYTES + width, to += width) {
    if (scheme === 'Q4_0') splitNibbles(blocks, from, codes, to);
    else for (let i = 0; i < width; i++) codes[to + i] = blocks[from + i]!;
  }
}

/** The inverse of `splitCodes`: writes codes between the scales of blocks. */
export function joinCodes(scheme: BlockScheme, codes: Uint8Array, blocks: Uint8Array): void {
  const width = codeBytes(scheme);
  for (let to = SCALE_BYTES, from = 0; from < codes.length; to += SCALE_BYTES + width, from += width) {
    if (scheme === 'Q4_0') joinNibbles(codes, from, blocks, to);
    else for (let i = 0; i < width; i++) blocks[to + i] = codes[from + i]!;
  }
}

/** Takes the f16 scales out of blocks. */
export function splitScales(scheme: BlockScheme, blocks: Uint8Array, scales: Uint8Array): void {
  const step = SCALE_BYTES + codeBytes(scheme);
  for (let from = 0, to = 0; to < scales.length; from += step, to += SCALE_BYTES) {
    scales[to] = blocks[from]!;
    scales[to + 1] = blocks[from + 1]!;
  }
}

/** The inverse of `splitScales`. */
export function joinScales(scheme: BlockScheme, scales: Uint8Array, blocks: Uint8Array): void {
  const step = SCALE_BYTES + codeBytes(scheme);
  for (let to = 0, from = 0; from < scales.length; to += step, from += SCALE_BYTES) {
    blocks[to] = scales[from]!;
    blocks[to + 1] = scales[from + 1]!;
  }
}

function splitNibbles(source: Uint8Array, from: number, target: Uint8Array, to: number): void {
  for (let i = 0; i < 8; i++) {
    const [first, second] = [source[from + 2 * i]!, source[from + 2 * i + 1]!];
    target[to + i] = (first & 15) | ((second & 15) << 4);
    target[to + i + 8] = (first >> 4) | (second & 0xf0);
  }
}

function joinNibbles(source: Uint8Array, from: number, target: Uint8Array, to: number): void {
  for (let i = 0; i < 8; i++) {
    const [lower, upper] = [source[from + i]!, source[from + i + 8]!];
    target[to + 2 * i] = (lower & 15) | ((upper & 15) << 4);
    target[to + 2 * i + 1] = (lower >> 4) | (upper & 0xf0);
  }
}
