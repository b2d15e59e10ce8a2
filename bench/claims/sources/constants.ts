import { readFileSync } from 'node:fs';
import path from 'node:path';
import { EXIT_CODES, type Failure } from '../../../src/core/errors.ts';
import { repoRoot } from '../../../test/support/paths.ts';
import { exact, type Source } from '../source.ts';

/** What a constant is divided by where the document has another unit than the code. */
const UNITS: Readonly<Record<string, number>> = {
  seconds: 1000,
  minutes: 60_000,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  /** Of WebAssembly memory, in pages of 64 KiB. */
  'GiB-of-pages': 2 ** 14,
};

/** Figures that the code or a test fixes. */
export const CONSTANT_SOURCES: Readonly<Record<string, Source>> = {
  /** `constant FILE NAME [UNIT]`: what `const NAME = …` has there, a number or a list. */
  constant: exact(([file = '', name = '', unit]) => {
    const divisor = unit === undefined ? 1 : UNITS[unit]!;
    return constantOf(file, name).map((value) => value / divisor);
  }),
  /**
   * `literal FILE`: numbers that occur in a file, a test most of all; of a test's name or its comment as
   * well.
   */
  literal: exact(([file = ''], stated) => {
    const numbers = numbersIn(read(file));
    return stated.map((figure) => nearest(numbers, Number(figure.replaceAll(',', ''))));
  }),
  /** `exit-codes CLASS…`. */
  'exit-codes': exact((classes) => classes.map((name) => EXIT_CODES[name as Failure])),
  /** `float16`: its least normal number, and half its least number above zero. */
  float16: exact(() => [2 ** -14, 2 ** -25]),
};

function read(file: string): string {
  return readFileSync(path.join(repoRoot, file), 'utf8');
}

function constantOf(file: string, name: string): number[] {
  const found = new RegExp(`^ *(?:export )?const ${name}\\b(?:: [^=]+)? =\\s([^;]+);`, 'm').exec(read(file));
  if (found === null) throw new Error(`${file} has no constant ${name}`);
  const parts = found[1]!.replaceAll(/[[\]_]|as const/g, '').split(',');
  return parts.filter((part) => part.trim() !== '').map(product);
}

/** Of a product of numbers and powers. */
function product(expression: string): number {
  const [first, ...rest] = expression.split(/ (\*|\/|<<) (?!\*)/);
  let value = powerOf(first!);
  for (let i = 0; i < rest.length; i += 2) {
    const operand = powerOf(rest[i + 1]!);
    value = rest[i] === '*' ? value * operand : rest[i] === '/' ? value / operand : value * 2 ** operand;
  }
  if (Number.isNaN(value)) throw new Error(`not a number: ${expression}`);
  return value;
}

function powerOf(text: string): number {
  const [base, exponent = '1'] = text.split('**');
  return Number(base) ** Number(exponent);
}

function numbersIn(text: string): number[] {
  const found = text.replaceAll(/(?<=\d)[_,](?=\d{3})/g, '').match(/(?<![\w.])\d+(?:\.\d+)?(?:e-?\d+)?/g);
  return (found ?? []).map(Number);
}

function nearest(numbers: readonly number[], figure: number): number {
  const distance = (value: number) => Math.abs(value - figure);
  return numbers.toSorted((a, b) => distance(a) - distance(b))[0] ?? Number.NaN;
}
