import { invalidInput, type PressError } from '../errors.ts';
import { fieldPath, JsonField } from './json-field.ts';
import type { JsonObject, JsonValue } from './json-value.ts';

export interface JsonOptions {
  /** What errors call the document where it is only a part of the file, as the header of safetensors is. */
  readonly root?: string;
  /**
   * Accepts `__proto__`, `constructor` and `prototype` as keys: vocabularies hold them as ordinary tokens.
   */
  readonly anyKey?: boolean;
  /**
   * Accepts NaN, Infinity and -Infinity, which Python's json module writes and reads although JSON has none.
   */
  readonly nonFinite?: boolean;
  /** Most members of one object, where a file may be far larger than what it is needed for. */
  readonly maxMembers?: number;
}

/** Files of the field nest fewer than ten levels; the parser recurses, and the stack must never decide. */
const MAX_DEPTH = 128;

/**
 * Values of one document. Qwen's tokenizer.json holds 610,000; what a hostile file of two-byte values could
 * take without a limit is many times its size.
 */
const MAX_VALUES = 2_000_000;

/** What costs nothing to repeat: a file of empty objects must not fill the memory. */
const EMPTY_OBJECT: JsonObject = new Map();
const EMPTY_ARRAY: readonly JsonValue[] = [];

/** Keys that change a prototype when someone copies the object; no field of a checkpoint has such a name. */
const RESERVED_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** Longest run of digits that fits a double exactly whatever the digits are. */
const EXACT_DIGITS = 15;

/** How Python spells numbers that JSON has none for. */
const NON_FINITE = ['NaN', 'Infinity', '-Infinity'];

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
/** What may follow a backslash, `u` aside, and what it stands for. */
const ESCAPES = '"\\/bfnrt';
const ESCAPED = '"\\/\b\f\n\r\t';

/**
 * Parses JSON (RFC 8259) of an untrusted file. Beyond `JSON.parse` it refuses duplicate and reserved keys,
 * numbers that a double cannot hold (integers must be exact, others finite), unpaired surrogates and deep
 * nesting. Throws `invalid-input` naming `file` and the field, or line and column where the syntax is wrong.
 */
export function parseJson(text: string, file: string, options: JsonOptions = {}): JsonField {
  return new JsonField(new Parser(text, file, options).document(), file, options.root ?? '');
}

class Parser {
  readonly #text: string;
  readonly #file: string;
  readonly #root: string;
  readonly #anyKey: boolean;
  readonly #nonFinite: boolean;
  readonly #maxMembers: number;
  #at = 0;
  #values = 0;
  /** Keys and indices that lead to the value being parsed. */
  readonly #path: (string | number)[] = [];

  constructor(text: string, file: string, options: JsonOptions) {
    this.#text = text;
    this.#file = file;
    this.#root = options.root ?? '';
    this.#anyKey = options.anyKey ?? false;
    this.#nonFinite = options.nonFinite ?? false;
    this.#maxMembers = options.maxMembers ?? Number.POSITIVE_INFINITY;
  }

  document(): JsonValue {
    if (this.#text.charCodeAt(0) === 0xfeff) throw this.#syntax('starts with a byte order mark');
    this.#skipSpace();
    const value = this.#value();
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#syntax('text after the end of the document');
    return value;
  }

  #value(): JsonValue {
    if (++this.#values > MAX_VALUES) throw this.#syntax(`more than ${MAX_VALUES} values`);
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object();
      case '[':
        return this.#array();
      case '"':
        return this.#string();
      case 't':
        return this.#word('true', true);
      case 'f':
        return this.#word('false', false);
      case 'n':
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #object(): JsonObject {
    const depth = this.#open();
    if (this.#closes('}')) return EMPTY_OBJECT;
    const object = new Map<string, JsonValue>();
    do {
      this.#skipSpace();
      if (this.#text[this.#at] !== '"') throw this.#syntax('no key in quotes');
      const key = this.#string();
      this.#path[depth] = key;
      if (object.has(key)) throw this.#fault('duplicate key');
      if (!this.#anyKey && RESERVED_KEYS.has(key)) throw this.#fault('reserved key');
      if (object.size === this.#maxMembers) throw this.#tooMany(depth);
      this.#skipSpace();
      if (this.#text[this.#at] !== ':') throw this.#syntax('no colon after the key');
      this.#at++;
      this.#skipSpace();
      object.set(key, this.#value());
    } while (this.#continues('}'));
    this.#path.length = depth;
    return object;
  }

  #array(): readonly JsonValue[] {
    const depth = this.#open();
    if (this.#closes(']')) return EMPTY_ARRAY;
    const array: JsonValue[] = [];
    do {
      this.#skipSpace();
      this.#path[depth] = array.length;
      array.push(this.#value());
    } while (this.#continues(']'));
    this.#path.length = depth;
    // Pushing leaves room for sixteen items more: a multiple of the size of the pairs that merges are.
    return array.slice();
  }

  /** Steps over the opening bracket; returns the level of its members in the path. */
  #open(): number {
    const depth = this.#path.length;
    if (depth === MAX_DEPTH) throw this.#syntax(`nested deeper than ${MAX_DEPTH} levels`);
    this.#at++;
    return depth;
  }

  /** Steps over the closing bracket of an empty object or array, if it is one. */
  #closes(bracket: '}' | ']'): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== bracket) return false;
    this.#at++;
    return true;
  }

  /** Steps over a comma (true) or the closing bracket (false). */
  #continues(bracket: '}' | ']'): boolean {
    this.#skipSpace();
    const c = this.#text[this.#at];
    if (c !== ',' && c !== bracket) throw this.#syntax(`no comma or ${bracket}`);
    this.#at++;
    return c === ',';
  }

  #string(): string {
    const text = this.#text;
    const start = this.#at + 1;
    for (let at = start; ; at++) {
      const c = text.charCodeAt(at);
      if (c === 0x22) {
        this.#at = at + 1;
        return text.slice(start, at);
      }
      if (c === 0x5c) return this.#escapedString(start, at);
      if (!(c >= 0x20)) throw this.#badStringAt(at);
    }
  }

  /** The rest of a string whose first escape stands at `at`. */
  #escapedString(start: number, at: number): string {
    const text = this.#text;
    let decoded = '';
    let plain = start;
    for (;;) {
      const c = text.charCodeAt(at);
      if (c === 0x22) break;
      if (c === 0x5c) {
        this.#at = at;
        decoded += text.slice(plain, at) + this.#escape();
        at = plain = this.#at;
      } else if (c >= 0x20) at++;
      else throw this.#badStringAt(at);
    }
    decoded += text.slice(plain, at);
    this.#at = at + 1;
    // In a Unicode pattern only an unpaired surrogate is a surrogate.
    if (/\p{Surrogate}/u.test(decoded)) throw this.#syntax('unpaired surrogate in a string');
    return decoded;
  }

  /** Steps over an escape; a surrogate pair is two. */
  #escape(): string {
    const letter = this.#text[this.#at + 1] ?? '';
    const hex = this.#text.slice(this.#at + 2, this.#at + 6);
    if (letter === 'u' && /^[0-9a-fA-F]{4}$/.test(hex)) {
      this.#at += 6;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const index = ESCAPES.indexOf(letter);
    if (letter === '' || index < 0) throw this.#syntax('unknown escape in a string');
    this.#at += 2;
    return ESCAPED[index]!;
  }

  #badStringAt(at: number): PressError {
    this.#at = at;
    return this.#syntax(at < this.#text.length ? 'control character in a string' : 'string without an end');
  }

  #number(): number {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) return this.#nonFiniteNumber();
    const [literal, fraction, exponent] = match;
    const value = Number(literal);
    if (!Number.isFinite(value)) throw this.#fault('number out of range', literal);
    if (literal.length > EXACT_DIGITS && fraction === undefined && exponent === undefined) {
      if (BigInt(value) !== BigInt(literal)) throw this.#fault('integer too large to be exact', literal);
    }
    this.#at += literal.length;
    return value;
  }

  #nonFiniteNumber(): number {
    const word = NON_FINITE.find((spelled) => this.#text.startsWith(spelled, this.#at));
    if (word === undefined) throw this.#syntax('no value');
    if (!this.#nonFinite) throw this.#fault('not valid JSON, though Python writes it', word);
    this.#at += word.length;
    return Number(word);
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#syntax('no value');
    this.#at += word.length;
    return value;
  }

  #skipSpace(): void {
    for (;;) {
      const c = this.#text.charCodeAt(this.#at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
      this.#at++;
    }
  }

  #tooMany(depth: number): PressError {
    this.#path.length = depth;
    return this.#fault(`more than ${this.#maxMembers} members`);
  }

  /** A fault of the value at the current path. */
  #fault(what: string, got?: string): PressError {
    const field = fieldPath(this.#root, this.#path);
    const fault = { file: this.#file, field, what };
    return invalidInput(got === undefined ? fault : { ...fault, got });
  }

  /** A fault of the text at the current position. */
  #syntax(what: string): PressError {
    const before = this.#text.slice(0, this.#at).split('\n');
    const position = `line ${before.length}, column ${before.at(-1)!.length + 1}`;
    const field = this.#root === '' ? position : `${this.#root}: ${position}`;
    const ended = this.#at >= this.#text.length ? ' (the file ends here)' : '';
    return invalidInput({ file: this.#file, field, what: `not valid JSON: ${what}${ended}` });
  }
}
