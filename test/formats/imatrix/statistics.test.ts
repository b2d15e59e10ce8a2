import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { describe, it, type TestContext } from 'node:test';
import { SAMPLE_WORDS } from '../../../src/core/statistics.ts';
import { withStatistics } from '../../../src/pipeline/sources/open-statistics.ts';
import { imatrixGguf, imatrixTensors } from '../../support/builders/imatrix-files.ts';
import { statisticsFile, statisticsTensors } from '../../support/builders/statistics-file.ts';
import { assertRejects, type Rejection } from '../../support/rejects.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

function written(t: TestContext, bytes: Uint8Array): string {
  const file = path.join(temporaryFolder(t), 'statistics.gguf');
  writeFileSync(file, bytes);
  return file;
}

const read = (file: string) =>
  withStatistics(file, async (statistics) => {
    for (const { moments } of statistics!.inputs.values()) await moments?.triangle([2, 0]);
    return statistics!;
  });

const without = (name: string) => imatrixGguf(statisticsTensors().filter((tensor) => tensor.name !== name));

test('sums of statistics are divided by tokens', async (t) => {
  const { tokens, neurons, inputs } = await read(written(t, statisticsFile()));
  assert.equal(tokens, 10);
  assert.deepEqual(neurons()![1]!.means, new Float32Array(4).fill(0.2));
  assert.equal((await inputs.get('blk.0.attn_q.weight')!.meanSquares()).length, 3);
  assert.equal(inputs.get('blk.0.ffn_down.weight')!.moments!.size, 4);
});

const COUNTS = 'blk.0.ffn_down.weight.counts';
const FIRINGS = 'blk.1.ffn_up.weight.plmpress_firings';
const SUMS = 'blk.0.ffn_down.weight.plmpress_sums';
const MOMENTS = 'blk.1.ffn_down.weight.plmpress_moments';

const FIRED = 'blk.0.ffn_up.weight.plmpress_fired';
const words = (last: number) => ({
  [FIRED]: { values: [...Array<number>(4 * SAMPLE_WORDS - 1).fill(3), last] },
});

const REFUSALS: readonly (readonly [what: string, bytes: Uint8Array, expected: Rejection])[] = [
  ['an empty file', new Uint8Array(), { failure: 'unsupported', message: /no statistics of FFN neurons/ }],
  [
    'an importance matrix alone',
    imatrixGguf(imatrixTensors({ 'blk.0.ffn_up.weight': { sums: [1, 2], count: 1 } })),
    { failure: 'unsupported', message: /no statistics of FFN neurons/ },
  ],
  ['no count of tokens', without(COUNTS), { message: /ffn_down\.weight\.counts": missing/ }],
  [
    'no tokens',
    statisticsFile({ [COUNTS]: { values: [0] } }),
    { message: /counts": value, got 0, expected above 0$/ },
  ],
  [
    'so few tokens that means overflow',
    statisticsFile({ [COUNTS]: { values: [1e-45] } }),
    { message: /\[0\]": mean, got Infinity, expected a finite number from 0 up$/ },
  ],
  [
    'a sum that is no number',
    statisticsFile({ [SUMS]: { values: [1, NaN, 1, 1] } }),
    { message: /plmpress_sums\[1\]": value, got NaN/ },
  ],
  [
    'firings below zero',
    statisticsFile({ [FIRINGS]: { values: [1, -1, 1, 1] } }),
    { message: /plmpress_firings\[1\]": value, got -1/ },
  ],
  ...[65_536, 0.5].map((value): readonly [string, Uint8Array, Rejection] => [
    `${value} as a word of who fired`,
    statisticsFile(words(value)),
    {
      message: new RegExp(`plmpress_fired\\[\\d+\\]": value, got ${value}, expected an integer of 16 bits$`),
    },
  ]),
  [
    'a layer without firings between others',
    without('blk.0.ffn_up.weight.plmpress_firings'),
    { message: /blk\.0\.ffn_up\.weight\.plmpress_firings": missing/ },
  ],
  [
    'another number of neurons',
    statisticsFile({ [FIRINGS]: { values: [1, 1], shape: [2] } }),
    { message: /blk\.1\.ffn_up\.weight\.plmpress_fired": shape, got \[64,4\], expected \[64, 2\]/ },
  ],
  [
    'halves',
    statisticsFile({ [SUMS]: { scheme: 'F16', values: [1, 1] } }),
    { message: /plmpress_sums": ggml type, got 1, expected F32$/ },
  ],
  [
    'second moments that are no triangle',
    statisticsFile({ [MOMENTS]: { values: [1, 1], shape: [2] } }),
    { message: /plmpress_moments": elements, got 2, expected a triangle$/ },
  ],
  [
    'second moments that are not finite',
    statisticsFile({ [MOMENTS]: { values: Array<number>(10).fill(Infinity) } }),
    { message: /entry \[0, 0\], got Infinity, expected a finite number$/ },
  ],
  [
    'a square below zero',
    statisticsFile({ [MOMENTS]: { values: [2, 0, 0, 0, 2, 0, 0, -2, 0, 2] } }),
    { message: /plmpress_moments": entry \[2, 2\], got -2, expected a square, from 0 up$/ },
  ],
  [
    'a product larger than its squares allow',
    statisticsFile({ [MOMENTS]: { values: [4, 0, 5, 0, 4, 0, 0, 4, 0, 4] } }),
    { message: /plmpress_moments": mean of entry \[0, 2\], got 0\.5, expected at most 0\.4/ },
  ],
  [
    'numbers of tokens that differ',
    statisticsFile({ 'blk.1.ffn_down.weight.counts': { values: [9] } }),
    { message: /blk\.1\.ffn_down\.weight\.counts": value, got 9, expected 10, as of the other matrices$/ },
  ],
];

describe('statistics are refused for', () => {
  for (const [what, bytes, expected] of REFUSALS) {
    it(what, async (t) => {
      const file = written(t, bytes);
      await assertRejects(path.dirname(file), () => read(file), expected);
    });
  }
});
