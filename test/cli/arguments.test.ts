import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InvalidArgumentError } from 'commander';
import {
  collectTensorType,
  collectWeight,
  parseIds,
  parseInteger,
  parseNumber,
  parseScheme,
  parseShare,
  parseSize,
} from '../../src/cli/arguments.ts';

type Parse = (text: string) => unknown;

const INTEGER = parseInteger(1, 256);
const SHARE = parseNumber(0, 1);

const ACCEPTED: readonly [parse: Parse, text: string, value: unknown][] = [
  [parseSize, '4000000', 4_000_000],
  [parseSize, '500K', 500_000],
  [parseSize, '500M', 500_000_000],
  [parseSize, '3.5GB', 3_500_000_000],
  [parseSize, '3.5 gb', 3_500_000_000],
  [parseSize, '2T', 2_000_000_000_000],
  [parseSize, '512MiB', 512 * 2 ** 20],
  [parseSize, '2Gi', 2 ** 31],
  [INTEGER, '1', 1],
  [INTEGER, '256', 256],
  [parseInteger(0), '9007199254740991', Number.MAX_SAFE_INTEGER],
  [SHARE, '0', 0],
  [SHARE, '0.95', 0.95],
  [SHARE, '1e-3', 0.001],
  [parseIds, '1,2, 3', [1, 2, 3]],
  [parseScheme, 'q8_0', 'Q8_0'],
  [parseScheme, 'Q4_k', 'Q4_K'],
  [parseShare, '1/1', { number: 1, of: 1 }],
  [parseShare, '3/10000', { number: 3, of: 10_000 }],
  [collectTensorType, 'attn_q=q8_0', [{ pattern: 'attn_q', scheme: 'Q8_0' }]],
  [collectWeight, 'a=b=0.5', new Map([['a=b', 0.5]])],
  [collectTensorType, '(?=x).=F16', [{ pattern: '(?=x).', scheme: 'F16' }]],
];

const REFUSED: readonly [parse: Parse, text: string][] = [
  ...['', '0', '-1', 'M', '1.2.3G', '5X', '5iB', '1e9', '99999999T'].map((text): [Parse, string] => [
    parseSize,
    text,
  ]),
  ...['', '0', '257', '1.5', 'x', '0x10', '1e2', ' '].map((text): [Parse, string] => [INTEGER, text]),
  ...['', ' ', '-0.1', '1.1', 'NaN', 'Infinity', 'x'].map((text): [Parse, string] => [SHARE, text]),
  ...['', 'q5', 'Q4_K_M', 'constructor'].map((text): [Parse, string] => [parseScheme, text]),
  ...['', '=q8_0', 'attn_q', 'attn_q=', 'attn_q=q9'].map((text): [Parse, string] => [
    collectTensorType,
    text,
  ]),
  ...['', 'a', '=1', 'a=', 'a=0', 'a=-1', 'a=x', 'a=Infinity'].map((text): [Parse, string] => [
    collectWeight,
    text,
  ]),
  ...['', '1', '0/3', '4/3', '1/10001', '1/3/5', '-1/3', '1.5/3', ' 1/3', '1/99999999999'].map(
    (text): [Parse, string] => [parseShare, text],
  ),
  ...['', '1,,2', '1,-2', 'a', '1 2', '4294967296'].map((text): [Parse, string] => [parseIds, text]),
];

describe('values of options', () => {
  for (const [parse, text, value] of ACCEPTED) {
    it(`${JSON.stringify(text)} is ${value}`, () => assert.deepEqual(parse(text), value));
  }
  for (const [parse, text] of REFUSED) {
    it(`${JSON.stringify(text)} is refused`, () => assert.throws(() => parse(text), InvalidArgumentError));
  }
});
