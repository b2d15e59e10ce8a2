import { invalidInput, type PressError } from '../../../src/core/errors.ts';
import type { Metadata, NativeTypes, ScalarType } from './types.ts';

/** Typed access to metadata. Every value is checked for its type, not only for its presence. */
export class Fields {
  readonly file: string;
  readonly #metadata: Metadata;

  constructor(file: string, metadata: Metadata) {
    this.file = file;
    this.#metadata = metadata;
  }

  has(key: string): boolean {
    return this.#metadata.has(key);
  }

  isList(key: string): boolean {
    return this.#metadata.get(key)?.type === 'array';
  }

  /** The key and its place in the file, for messages. */
  label(key: string): string {
    const index = [...this.#metadata.keys()].indexOf(key);
    return index < 0 ? `kv "${key}"` : `kv[${index}] "${key}"`;
  }

  /** An invalid-input error that names the key. */
  error(key: string, what: string, details: { got?: unknown; expected?: string } = {}): PressError {
    return invalidInput({ file: this.file, field: this.label(key), what, ...details });
  }

  optional<T extends ScalarType>(key: string, type: T): NativeTypes[T] | undefined {
    const entry = this.#metadata.get(key);
    if (entry === undefined) return undefined;
    if (entry.type !== type) throw this.error(key, 'value type', { got: entry.type, expected: type });
    return entry.value as NativeTypes[T];
  }

  /** The value of a key that no model is refused for; undefined where it is missing or of another type. */
  harmless(key: string): string | undefined {
    const entry = this.#metadata.get(key);
    return entry?.type === 'string' ? entry.value : undefined;
  }

  /** A list of texts. */
  harmlessList(key: string): readonly string[] | undefined {
    const entry = this.#metadata.get(key);
    return entry?.type === 'array' && entry.items === 'string'
      ? (entry.value as readonly string[])
      : undefined;
  }

  /** A number of any type, as llama.cpp reads sampling defaults. */
  number(key: string): number | undefined {
    const entry = this.#metadata.get(key);
    if (entry === undefined) return undefined;
    const { type, value } = entry;
    if (typeof value !== 'number' && typeof value !== 'bigint') {
      throw this.error(key, 'value type', { got: type, expected: 'a number' });
    }
    return type === 'f32' ? decimalOf(value as number) : Number(value);
  }

  required<T extends ScalarType>(key: string, type: T): NativeTypes[T] {
    const value = this.optional(key, type);
    if (value === undefined) throw this.error(key, 'missing');
    return value;
  }

  /** A required u32 from `min` up. */
  count(key: string, min = 1): number {
    const value = this.required(key, 'u32');
    if (value < min) throw this.error(key, 'out of range', { got: value, expected: `at least ${min}` });
    return value;
  }

  /** A list of counts from 1 up, signed as gguf-py writes them or not. */
  counts(key: string): readonly number[] {
    const entry = this.#metadata.get(key);
    const items = entry?.type === 'array' && entry.items === 'i32' ? 'i32' : 'u32';
    const counts = this.list(key, items);
    const wrong = counts.find((count) => count < 1);
    if (wrong !== undefined) throw this.error(key, 'out of range', { got: wrong, expected: 'at least 1' });
    return counts;
  }

  optionalList<I extends ScalarType>(key: string, items: I): readonly NativeTypes[I][] | undefined {
    const entry = this.#metadata.get(key);
    if (entry === undefined) return undefined;
    if (entry.type !== 'array' || entry.items !== items) {
      const got = entry.type === 'array' ? `array of ${entry.items}` : entry.type;
      throw this.error(key, 'value type', { got, expected: `array of ${items}` });
    }
    return entry.value as readonly NativeTypes[I][];
  }

  list<I extends ScalarType>(key: string, items: I): readonly NativeTypes[I][] {
    const value = this.optionalList(key, items);
    if (value === undefined) throw this.error(key, 'missing');
    return value;
  }
}

/** The shortest decimal number that rounds to this f32: 1e-6 and not 9.999999974752427e-7. */
export function decimalOf(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}
