import { invalidInput, type PressError } from '../../src/core/errors.ts';
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
