import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { quantizedFile } from '../../src/pipeline/sources/quantized-file.ts';
import { pressFailure } from '../support/press-failure.ts';

const FILES = [
  'README.md',
  'm-BF16-00001-of-00002.gguf',
  'm-BF16-00002-of-00002.gguf',
  'm-Q4_K_M.gguf',
  'm-Q4_K_S.gguf',
  'm-UD-Q4_K_M.gguf',
  'm.Q5_0.GGUF',
  'mmproj-F16.gguf',
  'imatrix.gguf',
  'Q6_K/m-00001-of-00003.gguf',
  'Q6_K/m-00002-of-00003.gguf',
  'IQ2_M/a.gguf',
  'IQ2_M/b.gguf',
];

const find = (quantization: string, files: readonly string[] = FILES) =>
  quantizedFile(
    'org/name',
    files.map((path) => ({ path })),
    quantization,
  );

describe('the GGUF that a quantization names', () => {
  const MEANT: readonly [quantization: string, path: string][] = [
    ['Q4_K_M', 'm-Q4_K_M.gguf'],
    ['q4_k_m', 'm-Q4_K_M.gguf'],
    ['UD-Q4_K_M', 'm-UD-Q4_K_M.gguf'],
    ['Q5_0', 'm.Q5_0.GGUF'],
    ['BF16', 'm-BF16-00001-of-00002.gguf'],
    ['Q6_K', 'Q6_K/m-00001-of-00003.gguf'],
  ];
  for (const [quantization, path] of MEANT) {
    it(quantization, () => assert.equal(find(quantization), path));
  }

  it('is none of another, and no companion', () => {
    const none =
      /^org\/name:Q4_K is not a GGUF of the repository, expected one of m-BF16-00001-of-00002\.gguf, /;
    assert.throws(() => find('Q4_K'), pressFailure('usage', none));
    assert.throws(() => find('F16'), pressFailure('usage', /is not a GGUF/));
  });

  it('is not chosen among several', () => {
    const several = /^org\/name:IQ2_M may be IQ2_M\/a\.gguf, IQ2_M\/b\.gguf, expected one of them, as hf:/;
    assert.throws(() => find('IQ2_M'), pressFailure('usage', several));
  });

  it('is made where there is none', () => {
    const none = /contains no GGUF file, expected org\/name, which convert --to gguf:. makes one of$/;
    assert.throws(() => find('Q4_K_M', ['model.safetensors']), pressFailure('usage', none));
  });
});
