import { invalidInput, type PressError } from '../../src/core/errors.ts';
import { decodeUtf8 } from '../../src/io/text-file.ts';

/** Names of tensors and modules stay below 256 characters; no longer string is of use. */
const MAX_STRING_BYTES = 1024;

/** Reads the bytes of a pickle front to back; each method checks that its bytes are there. */
export class PickleCursor {
  readonly bytes: number;
  readonly #file: string;
  readonly #entry: string;
  readonly #view: DataView;
  #at = 0;
  /** Where the opcode started that is being read. */
  #opcodeAt = 0;

  constructor(content: Uint8Array, file: string, entry: string) {
    this.#file = file;
    this.#entry = entry;
    this.#view = new DataView(content.buffer, content.byteOffset, content.byteLength);
    this.bytes = content.byteLength;
  }

  get atEnd(): boolean {
    return this.#at === this.bytes;
  }

  opcode(): number {
    this.#opcodeAt = this.#at;
    if (this.atEnd) throw this.fault('ends without STOP');
    return this.u8();
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  /** Above 2^53 it is rounded, but stays larger than any pickle. */
  u64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  /** A signed integer of `bytes` bytes, as LONG1 has it. */
  integer(bytes: number): number {
    if (bytes > 8) throw this.fault('integer too large', bytes, 'at most 8 bytes');
    const at = this.#take(bytes);
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#view.getUint8(at + i));
    const signed = BigInt.asIntN(8 * bytes, value);
    const number = Number(signed);
    if (!Number.isSafeInteger(number)) throw this.fault('integer too large', signed, 'less than 2^53');
    return number;
  }

  string(bytes: number): string {
    if (bytes > MAX_STRING_BYTES) {
      throw this.fault('string too long', bytes, `at most ${MAX_STRING_BYTES} bytes`);
    }
    const at = this.#take(bytes);
    return decodeUtf8(
      new Uint8Array(this.#view.buffer, this.#view.byteOffset + at, bytes),
      this.#file,
      this.#field(),
    );
  }

  /** Text up to a line feed, as GLOBAL has it. */
  line(): string {
    const limit = Math.min(this.bytes, this.#at + MAX_STRING_BYTES);
    let end = this.#at;
    while (end < limit && this.#view.getUint8(end) !== LINE_FEED) end++;
    if (end === limit) throw this.fault('line without an end');
    const text = this.string(end - this.#at);
    this.#at++;
    return text;
  }

  assertRemaining(bytes: number): void {
    const left = this.bytes - this.#at;
    if (bytes > left) throw this.fault('cut', left, `${bytes} bytes more`);
  }

  /** A fault of the opcode that is being read. */
  fault(what: string, ...[got, expected]: [got?: unknown, expected?: string]): PressError {
    return invalidInput({
      file: this.#file,
      field: this.#field(),
      what,
      ...(got !== undefined && { got }),
      ...(expected !== undefined && { expected }),
    });
  }

  #field(): string {
    return `${this.#entry}: byte ${this.#opcodeAt}`;
  }

  #take(bytes: number): number {
    this.assertRemaining(bytes);
    const at = this.#at;
    this.#at += bytes;
    return at;
  }
}

const LINE_FEED = 0x0a;
