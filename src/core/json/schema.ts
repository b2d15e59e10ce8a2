import { invalidInput } from '../errors.ts';
import type { JsonField } from './json-field.ts';

/**
 * What a place in a JSON file must hold: reads it, or throws `invalid-input` that names file and field.
 * Schemas are declared once and composed; `Read` is the type of what one reads.
 */
export type Schema<T> = (field: JsonField) => T;

export type Read<S> = S extends Schema<infer T> ? T : never;

type Members = Readonly<Record<string, Schema<unknown>>>;

/** Members whose schema may read undefined are optional. */
type OptionalKeys<M> = { [K in keyof M]: undefined extends Read<M[K]> ? K : never }[keyof M];
type ObjectOf<M> = Flat<
  { readonly [K in keyof M as Exclude<K, OptionalKeys<M>>]: Read<M[K]> } & {
    readonly [K in keyof M as Extract<K, OptionalKeys<M>>]?: Exclude<Read<M[K]>, undefined>;
  }
>;
type Flat<T> = { [K in keyof T]: T[K] };

export const string: Schema<string> = (field) => field.string();
export const boolean: Schema<boolean> = (field) => field.boolean();
/** Any finite number. */
export const number: Schema<number> = (field) => field.number();

export function integer(min: number, max?: number): Schema<number> {
  return (field) => field.integer(min, max);
}

/**
 * An object with these members, in this order. Others are ignored; a member that reads as undefined is left
 * out.
 */
export function object<M extends Members>(members: M): Schema<ObjectOf<M>> {
  return (field) => {
    const read = Object.entries(members).map(([key, schema]) => [key, schema(field.at(key))]);
    return Object.fromEntries(read.filter(([, value]) => value !== undefined));
  };
}

/** An object without other members: for files that people write. */
export function exact<M extends Members>(members: M): Schema<ObjectOf<M>> {
  const read = object(members);
  return (object) => {
    for (const [key, { file, field }] of object.entries()) {
      if (Object.hasOwn(members, key)) continue;
      const expected = Object.keys(members).join(', ');
      throw invalidInput({ file, field, what: 'unknown field', expected });
    }
    return read(object);
  };
}

/** For members that may be absent or null, and then are left out. */
export function optional<T>(schema: Schema<T>): Schema<T | undefined> {
  return (field) => field.optional() && schema(field);
}

/** Null stays null; absent is an error. */
export function nullable<T>(schema: Schema<T>): Schema<T | null> {
  return (field) => (field.value === null ? null : schema(field));
}

export interface ArrayLimits {
  /** Most items. Left out: as many as a document may have values. */
  readonly max?: number;
  /** What an array must have one of at least. Left out: it may be empty. */
  readonly some?: string;
}

export function array<T>(item: Schema<T>, { max, some }: ArrayLimits = {}): Schema<readonly T[]> {
  return (field) => {
    const items = field.items(max);
    if (some !== undefined && items.length === 0) throw field.unexpected(`at least one ${some}`);
    return items.map(item);
  };
}

/** An object of any keys, in the order of the file. */
export function record<T>(item: Schema<T>): Schema<Readonly<Record<string, T>>> {
  return (field) => Object.fromEntries(Array.from(field.entries(), ([key, member]) => [key, item(member)]));
}

export function choice<const T extends string>(choices: readonly T[]): Schema<T> {
  return (field) => {
    if (!choices.includes(field.value as T)) throw field.unexpected(choices.join(', '));
    return field.value as T;
  };
}

/** What `schema` reads, if it is as `expected` says. */
export function where<T, S extends T>(
  schema: Schema<T>,
  holds: (value: T) => value is S,
  expected: string,
): Schema<S>;
export function where<T>(schema: Schema<T>, holds: (value: T) => boolean, expected: string): Schema<T>;
export function where<T>(schema: Schema<T>, holds: (value: T) => boolean, expected: string): Schema<T> {
  return (field) => {
    const value = schema(field);
    if (!holds(value)) throw field.unexpected(expected);
    return value;
  };
}

export function matching(pattern: RegExp, expected: string): Schema<string> {
  return where(string, (text) => pattern.test(text), expected);
}

/** A number from 0 to 1. */
export const share = where(number, (value) => value >= 0 && value <= 1, '0 to 1');
