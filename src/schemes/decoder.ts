/**
 * Decodes `count` weights, a multiple of the scheme's block size. Offsets are bytes in `source`, elements in
 * `target`.
 */
export type Decoder = (
  source: Uint8Array,
  sourceOffset: number,
  target: Float32Array,
  targetOffset: number,
  count: number,
) => void;

/** Decodes the block that begins at byte `block` to the elements from `first` on. */
export type BlockDecoder = (source: Uint8Array, block: number, target: Float32Array, first: number) => void;

/** The part of the modules in src/core/scheme-constants that all schemes have. */
export interface BlockConstants {
  readonly BLOCK_SIZE: number;
  readonly BLOCK_BYTES: number;
}

/** A decoder of one block after the other. */
export function decoderOfBlocks({ BLOCK_SIZE, BLOCK_BYTES }: BlockConstants, decode: BlockDecoder): Decoder {
  return (source, sourceOffset, target, targetOffset, count) => {
    for (let i = 0, block = sourceOffset; i < count; i += BLOCK_SIZE, block += BLOCK_BYTES) {
      decode(source, block, target, targetOffset + i);
    }
  };
}
