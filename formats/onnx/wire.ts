import { invalidInput, type PressError } from '../../src/core/errors.ts';
import { decodeUtf8 } from '../../src/io/text-file.ts';

/**
 * How a field's value is stored (protobuf encoding, section "Message Structure"). Groups are of no use in
 * onnx.proto.
 */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** A varint of 64 bits takes ten bytes. */
const MAX_VARINT_BYTES = 10;
/** A varint of up to 28 bits takes four bytes, and needs no BigInt. */
const SHORT_VARINT_BITS = 28;

/**
 * Fields of a file, and numbers of its lists. A graph of 512 layers with 64 heads has some four million; a
 * file of fields that take two bytes each would cost minutes and gigabytes.
 */
const MAX_FIELDS = 6_000_000;

/** A field of a message. Which of the accessors is right its number says. */
export class WireField {
  readonly number: number;
  readonly #type: number;
  readonly #value: number | Uint8Array;
  readonly #message: WireMessage;

  constructor(message: WireMessage, number: number, type: number, value: number | Uint8Array) {
    this.#message = message;
    this.number = number;
    this.#type = type;
    this.#value = value;
  }

  /** An int64 that a number holds exactly. */
  integer(): number {
    if (this.#type !== VARINT) throw this.#mistyped('a varint');
    const value = this.#value as number;
    if (!Number.isSafeInteger(value)) throw this.#mistyped('an integer below 2^53');
    return value;
  }

  /** Repeated int64: one, or a packed run of them. */
  integers(): number[] {
    if (this.#type === VARINT) return [this.integer()];
    const packed = this.message();
    const values: number[] = [];
    while (!packed.atEnd) {
      packed.count();
      values.push(new WireField(packed, this.number, VARINT, packed.varint()).integer());
    }
    return values;
  }

  float(): number {
    if (this.#type !== FIXED32) throw this.#mistyped('a float');
    const bytes = this.#value as Uint8Array;
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getFloat32(0, true);
  }

  bytes(): Uint8Array {
    if (this.#type !== BYTES) throw this.#mistyped('bytes');
    return this.#value as Uint8Array;
  }

  text(): string {
    return decodeUtf8(this.bytes(), this.#message.file, this.#message.fieldName(this.number));
  }

  message(name = this.#message.fieldName(this.number)): WireMessage {
    return this.#message.inner(this.bytes(), name);
  }

  #mistyped(expected: string): PressError {
    const { file } = this.#message;
    return invalidInput({ file, field: this.#message.fieldName(this.number), what: 'wrong value', expected });
  }
}

/** A protobuf message, read field by field. Nothing is copied, and nothing outside of it is read. */
export class WireMessage {
  readonly file: string;
  readonly #name: string;
  readonly #bytes: Uint8Array;
  /** Fields that the file may still have: one count for all of its messages. */
  readonly #budget: { fields: number };
  #at = 0;

  constructor(bytes: Uint8Array, file: string, name: string, budget = { fields: MAX_FIELDS }) {
    this.#bytes = bytes;
    this.file = file;
    this.#name = name;
    this.#budget = budget;
  }

  /** A message of these bytes inside of this one. */
  inner(bytes: Uint8Array, name: string): WireMessage {
    return new WireMessage(bytes, this.file, name, this.#budget);
  }

  /** Counts a field or a number of a list. */
  count(): void {
    if (this.#budget.fields-- === 0) throw this.#fault(`more than ${MAX_FIELDS} fields in the file`);
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  fieldName(number: number): string {
    return `${this.#name}.${number}`;
  }

  *fields(): Generator<WireField> {
    while (!this.atEnd) {
      this.count();
      const key = this.varint();
      const [number, type] = [Math.floor(key / 8), key % 8];
      if (number < 1) throw this.#fault(`field number ${number}`);
      yield new WireField(this, number, type, this.#value(number, type));
    }
  }

  varint(): number {
    const start = this.#at;
    let value = 0;
    for (let shift = 0; shift < SHORT_VARINT_BITS; shift += 7) {
      const byte = this.#byte();
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    this.#at = start;
    return this.#longVarint();
  }

  #longVarint(): number {
    let value = 0n;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.#byte();
      value |= BigInt(byte & 127) << BigInt(7 * i);
      if (byte < 128) return Number(BigInt.asIntN(64, value));
    }
    throw this.#fault('a varint of more than ten bytes');
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw this.#fault('ends too early');
    this.#at++;
    return byte;
  }

  #value(number: number, type: number): number | Uint8Array {
    switch (type) {
      case VARINT:
        return this.varint();
      case FIXED64:
        return this.#take(8);
      case BYTES:
        return this.#take(this.varint());
      case FIXED32:
        return this.#take(4);
      default:
        throw this.#fault(`field ${number} of wire type ${type}`);
    }
  }

  #take(count: number): Uint8Array {
    const end = this.#at + count;
    if (!(count >= 0 && end <= this.#bytes.length)) throw this.#fault('ends too early');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  #fault(what: string): PressError {
    return invalidInput({ file: this.file, field: this.#name, what: `malformed protobuf message: ${what}` });
  }
}
