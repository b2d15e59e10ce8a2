import { isUtf8 } from 'node:buffer';
import { type Fault, invalidInput, type PressError } from '../../../src/core/errors.ts';
import type { FixedType } from './types.ts';

/** A file that can be read at any place. */
export interface ByteSource {
  /** Name for messages. */
  readonly name: string;
  readonly bytes: number;
  /** Fills `into` from `offset` on; a short read is an error. */
  readInto(into: Uint8Array, offset: number): Promise<void>;
}

/** Bytes read ahead: a header of thousands of small fields takes few system calls. */
const WINDOW_BYTES = 256 * 1024;
/**
 * Room for the largest vocabularies several times over, but not for a bomb (safetensors has the same limit).
 */
const MAX_HEADER_BYTES = 100_000_000;
/** Chat templates have a few kilobytes (huggingface.js has the same limit). */
const MAX_STRING_BYTES = 10_000_000;

/**
 * Reads the header of a GGUF file field by field, front to back. Call `need` before the fields of a known
 * size; `text` does so itself. Nothing is allocated before it is known to lie inside the file.
 */
export class HeaderCursor {
  readonly #source: ByteSource;
  #window = Buffer.alloc(0);
  #windowStart = 0;
  #position = 0;
  /** The field being read, for messages: `kv[3] "general.name"`. */
  field = 'header';

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** Byte offset in the file of the next field. */
  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#source.bytes - this.#position;
  }

  /** An invalid-input error of the current field at byte `offset`. */
  error(what: string, details: Pick<Fault, 'got' | 'expected'> = {}, offset = this.#position): PressError {
    return invalidInput({
      file: this.#source.name,
      field: this.field,
      what: `at byte ${offset}: ${what}`,
      ...details,
    });
  }

  /** Makes the next `bytes` bytes readable. */
  async need(bytes: number): Promise<void> {
    const buffered = this.#windowStart + this.#window.length - this.#position;
    if (bytes <= buffered) return;
    if (bytes > this.remaining) {
      throw this.error('the file ends here', { got: this.remaining, expected: `${bytes} bytes more` });
    }
    if (this.#position + bytes > MAX_HEADER_BYTES) {
      throw this.error('header too long', { expected: `at most ${MAX_HEADER_BYTES} bytes` });
    }
    const window = Buffer.alloc(Math.min(this.remaining, Math.max(bytes, WINDOW_BYTES)));
    await this.#source.readInto(window, this.#position);
    this.#window = window;
    this.#windowStart = this.#position;
  }

  /** The next value of a type of fixed size; 64-bit integers come as bigint. */
  fixed(type: FixedType): number | bigint | boolean {
    const at = this.#position - this.#windowStart;
    const window = this.#window;
    switch (type) {
      case 'u8':
        return this.#advance(1, window.readUInt8(at));
      case 'i8':
        return this.#advance(1, window.readInt8(at));
      case 'u16':
        return this.#advance(2, window.readUInt16LE(at));
      case 'i16':
        return this.#advance(2, window.readInt16LE(at));
      case 'u32':
        return this.#advance(4, window.readUInt32LE(at));
      case 'i32':
        return this.#advance(4, window.readInt32LE(at));
      case 'f32':
        return this.#advance(4, window.readFloatLE(at));
      case 'f64':
        return this.#advance(8, window.readDoubleLE(at));
      case 'u64':
        return this.#advance(8, window.readBigUInt64LE(at));
      case 'i64':
        return this.#advance(8, window.readBigInt64LE(at));
      case 'bool': {
        const byte = window.readUInt8(at);
        if (byte > 1) throw this.error('boolean', { got: byte, expected: '0 or 1' });
        return this.#advance(1, byte === 1);
      }
    }
  }

  u32(): number {
    return this.fixed('u32') as number;
  }

  u64(): bigint {
    return this.fixed('u64') as bigint;
  }

  /** A length-prefixed UTF-8 string of at most `limit` bytes. */
  async text(what: string, limit = MAX_STRING_BYTES): Promise<string> {
    await this.need(8);
    const start = this.#position;
    const length = this.u64();
    const allowed = Math.min(limit, this.remaining);
    if (length > BigInt(allowed)) {
      throw this.error(`length of the ${what}`, { got: length, expected: `at most ${allowed}` }, start);
    }
    const bytes = Number(length);
    await this.need(bytes);
    const at = this.#position - this.#windowStart;
    const slice = this.#window.subarray(at, at + bytes);
    if (!isUtf8(slice)) throw this.error(`the ${what} is not UTF-8`);
    return this.#advance(bytes, slice.toString('utf8'));
  }

  #advance<T>(bytes: number, value: T): T {
    this.#position += bytes;
    return value;
  }
}
