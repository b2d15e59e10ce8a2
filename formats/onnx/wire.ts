import { invalidInput, type PressError } from '../../src/core/errors.ts';
import { decodeUtf8 } from '../../src/io/text-file.ts';

/** How a field's value is stored (protobuf encoding, section "Message Structure"). Groups are of no use in onnx.proto. */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** A varint of 64 bits takes ten bytes. */
const MAX_VARINT_BYTES = 10;

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
    while (!packed.atEnd) values.push(new WireField(packed, this.number, VARINT, packed.varint()).integer());
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
    return new WireMessage(this.bytes(), this.#message.file, name);
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
  #at = 0;

  constructor(bytes: Uint8Array, file: string, name: string) {
    this.#bytes = bytes;
    this.file = file;
    this.#name = name;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  fieldName(number: number): string {
    return `${this.#name}.${number}`;
  }

  *fields(): Generator<WireField> {
    while (!this.atEnd) {
      const key = this.varint();
      const [number, type] = [Math.floor(key / 8), key % 8];
      if (number < 1) throw this.#fault(`field number ${number}`);
      yield new WireField(this, number, type, this.#value(number, type));
    }
  }

  varint(): number {
    let value = 0n;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.#take(1)[0]!;
      value |= BigInt(byte & 127) << BigInt(7 * i);
      if (byte < 128) return Number(BigInt.asIntN(64, value));
    }
    throw this.#fault('a varint of more than ten bytes');
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
