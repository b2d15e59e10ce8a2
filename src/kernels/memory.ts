/** Address of something in the shared memory, in bytes. */
export type Pointer = number;

/** Views of one shared memory. They stay valid as long as it is referenced, for it never grows. */
export class SharedViews {
  readonly buffer: SharedArrayBuffer;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
  }

  bytes(pointer: Pointer, length: number): Uint8Array<SharedArrayBuffer> {
    return new Uint8Array(this.buffer, pointer, length);
  }

  /** `pointer` must be a multiple of 4. */
  floats(pointer: Pointer, count: number): Float32Array<SharedArrayBuffer> {
    return new Float32Array(this.buffer, pointer, count);
  }

  /** `pointer` must be a multiple of 8. */
  doubles(pointer: Pointer, count: number): Float64Array<SharedArrayBuffer> {
    return new Float64Array(this.buffer, pointer, count);
  }

  /** `pointer` must be a multiple of 4. */
  ints(pointer: Pointer, count: number): Int32Array<SharedArrayBuffer> {
    return new Int32Array(this.buffer, pointer, count);
  }
}
