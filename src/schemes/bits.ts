/** The bit patterns of a run of floats, in place. */
export function bitsOf(floats: Float32Array, offset: number, count: number): Uint32Array {
  return new Uint32Array(floats.buffer, floats.byteOffset + 4 * offset, count);
}

/** Little-endian 16 bits. A DataView would do too, at the cost of one object per call. */
export function readUint16(source: Uint8Array, offset: number): number {
  return source[offset]! | (source[offset + 1]! << 8);
}

export function readUint32(source: Uint8Array, offset: number): number {
  return (readUint16(source, offset) | (readUint16(source, offset + 2) << 16)) >>> 0;
}

export function writeUint16(target: Uint8Array, offset: number, value: number): void {
  target[offset] = value;
  target[offset + 1] = value >>> 8;
}
