import { existsSync } from 'node:fs';
import path from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { TensorType } from '../core/export-plan.ts';
import { SCHEMES, type SchemeName, WRITTEN_SCHEMES } from '../core/scheme.ts';
import { knownPass } from '../passes/index.ts';
import { type PassRequest, parsePassRequest } from '../passes/run.ts';
import { MAX_PARTS, type Share } from '../pipeline/parts/share.ts';
import { targetNamed } from '../pipeline/planning/target.ts';

/** Parsers of option values. They throw commander's error, which names the option. */

const SIZE = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?$/i;
const POWERS = ['', 'k', 'm', 'g', 't'];

/** Bytes: `4000000`, `500M`, `3.5GB` (decimal units) or `512MiB` (binary units). */
export function parseSize(text: string): number {
  const match = SIZE.exec(text);
  const [, number, prefix, binary] = match ?? [];
  if (match === null || (binary !== '' && prefix === '')) {
    throw new InvalidArgumentError('Expected a size such as 500M, 3.5GB or 512MiB.');
  }
  const bytes = Math.floor(Number(number) * (binary ? 1024 : 1000) ** POWERS.indexOf(prefix!.toLowerCase()));
  if (bytes < 1 || bytes > Number.MAX_SAFE_INTEGER) {
    throw new InvalidArgumentError('Expected a size of at least 1 byte, and less than 2^53.');
  }
  return bytes;
}

/** An integer from `min` to `max`. */
export function parseInteger(min: number, max: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) {
      const isOpen = max === Number.MAX_SAFE_INTEGER && !(value > max);
      throw new InvalidArgumentError(
        `Expected an integer ${isOpen ? `of at least ${min}` : `from ${min} to ${max}`}.`,
      );
    }
    return value;
  };
}

/** A finite number from `min` to `max`. */
export function parseNumber(min: number, max: number = Number.POSITIVE_INFINITY): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!(value >= min && value <= max && Number.isFinite(value))) {
      const range = max === Number.POSITIVE_INFINITY ? `of at least ${min}` : `from ${min} to ${max}`;
      throw new InvalidArgumentError(`Expected a number ${range}.`);
    }
    return value;
  };
}

/** Token ids separated by commas: `1,2,3`. */
export function parseIds(text: string): number[] {
  const id = parseInteger(0, 2 ** 31 - 1);
  return text.split(',').map((part) => id(part.trim()));
}

/** Names of schemes in WebGPU bundles, which store their blocks differently. */
const SCHEME_ALIASES: Readonly<Record<string, SchemeName>> = { Q4: 'Q4_0', Q8: 'Q8_0' };

/** Name of a storage scheme, which a source at least may have, in any case: `q8_0`, `Q4_K`; or `q4`, `q8`. */
export function parseScheme(text: string): SchemeName {
  const upper = text.toUpperCase();
  const name = Object.hasOwn(SCHEME_ALIASES, upper) ? SCHEME_ALIASES[upper]! : upper;
  if (Object.hasOwn(SCHEMES, name)) return name as SchemeName;
  throw new InvalidArgumentError(`Expected a scheme: ${WRITTEN_SCHEMES.join(', ')}.`);
}

/** A pattern with a scheme, `attn_q=q8_0`; repeatable. The pattern may hold `=`, a scheme's name does not. */
export function collectTensorType(text: string, previous: readonly TensorType[] = []): TensorType[] {
  const [, pattern, scheme] = /^(.+)=(.*)$/s.exec(text) ?? [];
  if (pattern === undefined) throw new InvalidArgumentError('Expected REGEX=SCHEME, as attn_q=q8_0.');
  return [...previous, { pattern, scheme: parseScheme(scheme!) }];
}

/** A file and its name. */
export interface NamedFile {
  readonly name: string;
  readonly file: string;
}

/** `FILE` or `NAME=FILE`; repeatable. A path that exists wins. */
export function collectText(text: string, previous: readonly NamedFile[] = []): NamedFile[] {
  const [, name, file] = /^([^=/\\]+)=(.+)$/s.exec(text) ?? [];
  const named = name !== undefined && file !== undefined && !existsSync(text);
  return [...previous, named ? { name, file } : { name: path.basename(text), file: text }];
}

/** `NAME=W`, W above 0. */
export function collectWeight(
  text: string,
  previous: ReadonlyMap<string, number> = new Map(),
): ReadonlyMap<string, number> {
  const [, name, weight] = /^(.+)=([^=]+)$/s.exec(text) ?? [];
  const value = Number(weight);
  if (name === undefined || !(value > 0 && value < Infinity)) {
    throw new InvalidArgumentError('Expected NAME=W, W a number above 0.');
  }
  return new Map([...previous, [name, value]]);
}

/** A pass and its options, gathered with the names of passes to leave out. */
export function collectPass(
  text: string,
  previous: readonly (PassRequest | string)[] = [],
): (PassRequest | string)[] {
  const request = parsePassRequest(text);
  knownPass(request.name);
  return [...previous, request];
}

/** The name of a pass to leave out, gathered with those to run. */
export function collectPassName(
  text: string,
  previous: readonly (PassRequest | string)[] = [],
): (PassRequest | string)[] {
  return [...previous, knownPass(text).name];
}

/** A target, as it is typed. Throws `usage` for an unknown one. */
export function parseTarget(text: string): string {
  targetNamed(text);
  return text;
}

/** Parses a target; repeatable. */
export function collectTarget(text: string, previous?: readonly string[]): string[] {
  return collect(parseTarget(text), previous);
}

/** A share of a conversion: `1/3`. */
export function parseShare(text: string): Share {
  const [, number, of] = /^(\d{1,5})\/(\d{1,5})$/.exec(text) ?? [];
  const share = { number: Number(number), of: Number(of) };
  if (share.number >= 1 && share.number <= share.of && share.of <= MAX_PARTS) return share;
  throw new InvalidArgumentError(`Expected I/N, as 1/3, with I from 1 to N and N up to ${MAX_PARTS}.`);
}

/** Integers of at least `min`; repeatable. */
export function collectInteger(min: number) {
  const parse = parseInteger(min);
  return (text: string, previous: readonly number[] = []): number[] => [...previous, parse(text)];
}

/** One of `choices`; repeatable, and the same one only once. */
export function collectChoice<T extends string>(choices: readonly T[]) {
  return (text: string, previous: readonly T[] = []): T[] => {
    const choice = choices.find((known) => known === text);
    if (choice === undefined) throw new InvalidArgumentError(`Allowed choices are ${choices.join(', ')}.`);
    return [...new Set([...previous, choice])];
  };
}

/** For options that can be given several times. */
export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}
