import type { Codec } from './codec.ts';

/** Little-endian f32, stored as is. */
export const f32: Codec = {
  scheme: 'F32',
  decode(source, sourceOffset, target, targetOffset, count) {
    bytesOf(target, targetOffset, count).set(source.subarray(sourceOffset, sourceOffset + 4 * count));
  },
  encode(source, sourceOffset, target, targetOffset, count) {
    target.set(bytesOf(source, sourceOffset, count), targetOffset);
  },
};

function bytesOf(floats: Float32Array, offset: number, count: number): Uint8Array {
  return new Uint8Array(floats.buffer, floats.byteOffset + 4 * offset, 4 * count);
}
