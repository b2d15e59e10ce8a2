import { invalidInput, type PressError } from '../errors.ts';
import type { JsonObject, JsonValue } from './json-value.ts';

/** Spells the way to a value as people write it: `model.vocab["a b"]`, `shape[1]`. */
export function fieldPath(root: string, path: readonly (string | number)[]): string {
  return path.reduce<string>(joinPath, root);
}

function joinPath(parent: string, key: string | number): string {
  if (typeof key === 'number') return `${parent}[${key}]`;
  if (key === '' || /\W/.test(key)) return `${parent}[${JSON.stringify(key)}]`;
  return parent === '' ? key : `${parent}.${key}`;
}

/**
 * A place in a parsed JSON file that knows its way from the root. Every accessor checks type and range and
 * throws `invalid-input` naming file and field.
 */
export class JsonField {
  /** Undefined where the file has nothing at this place. */
  readonly value: JsonValue | undefined;
  readonly file: string;
  /** Way from the root, starting with the root's own name where it has one. */
  readonly field: string;

  constructor(value: JsonValue | undefined, file: string, field: string) {
    this.value = value;
    this.file = file;
    this.field = field;
  }

  /** A member of this object; where the object lacks it, a field without a value. */
  at(key: string): JsonField {
    return new JsonField(this.object().get(key), this.file, joinPath(this.field, key));
  }

  /** This field, or undefined where it is absent or null. */
  optional(): JsonField | undefined {
    return this.value === undefined || this.value === null ? undefined : this;
  }

  string(): string {
    if (typeof this.value !== 'string') throw this.unexpected('a string');
    return this.value;
  }

  boolean(): boolean {
    if (typeof this.value !== 'boolean') throw this.unexpected('true or false');
    return this.value;
  }

  /** Any finite number. */
  number(): number {
    if (typeof this.value !== 'number') throw this.unexpected('a number');
    if (!Number.isFinite(this.value)) throw this.unexpected('a finite number');
    return this.value;
  }

  integer(min: number, max: number = Number.MAX_SAFE_INTEGER): number {
    const { value } = this;
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
      const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
      throw this.unexpected(`an integer ${range}`);
    }
    return value;
  }

  object(): JsonObject {
    if (!(this.value instanceof Map)) throw this.unexpected('an object');
    return this.value;
  }

  /** Keys and members of this object in file order. */
  *entries(): Generator<[string, JsonField]> {
    for (const key of this.object().keys()) yield [key, this.at(key)];
  }

  array(): readonly JsonValue[] {
    if (!Array.isArray(this.value)) throw this.unexpected('an array');
    return this.value;
  }

  /** Members of this array, of which there may be at most `max`. */
  items(max: number = Number.POSITIVE_INFINITY): JsonField[] {
    if (this.array().length > max) throw this.unexpected(`at most ${max} items`);
    return this.array().map((value, i) => new JsonField(value, this.file, `${this.field}[${i}]`));
  }

  /** The error for a value that is not what it has to be. */
  unexpected(expected: string): PressError {
    const { value, file, field } = this;
    if (value === undefined) return invalidInput({ file, field, what: 'missing', expected });
    return invalidInput({ file, field, what: 'wrong value', got: summary(value), expected });
  }
}

/** A value short enough for a message. */
function summary(value: JsonValue): unknown {
  if (value instanceof Map) return `an object of ${value.size} members`;
  if (Array.isArray(value))
    return value.length <= 8 ? value.map((v) => summary(v)) : `an array of ${value.length} items`;
  return value;
}
