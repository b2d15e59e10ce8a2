import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeImatrix, imatrixBytes } from '../../../formats/imatrix/writer.ts';
import type { Statistic } from '../../../src/core/statistic.ts';
import { imatrixGguf, imatrixTensors } from '../../support/imatrix-files.ts';
import { pressFailure } from '../../support/press-failure.ts';

const ORIGIN = { datasets: ['texts/calibration.txt'], chunks: 7, chunkSize: 512 };

const statistic = (matrix: string, kind: Statistic['kind'], values: readonly number[]): Statistic => ({
  ...{ matrix, kind, shape: [values.length], values: Float64Array.from(values) },
});

describe('writer of importance matrices', () => {
  it('orders names as llama-imatrix does, then the extras, and hides paths', () => {
    const statistics = [
      statistic('blk.2.attn_q.weight', 'input', [1, 2, 3]),
      statistic('blk.10.attn_q.weight', 'input', [4, 5]),
      statistic('token_embd.weight', 'extra-input', [6]),
      statistic('blk.2.ffn_up.weight', 'firings', [7, 8]),
    ];
    const bytes = encodeImatrix(ORIGIN, statistics, 99);
    const expected = imatrixGguf(
      [
        ...imatrixTensors({
          'blk.10.attn_q.weight': { sums: [4, 5], count: 99 },
          'blk.2.attn_q.weight': { sums: [1, 2, 3], count: 99 },
        }),
        { name: 'blk.2.ffn_up.weight.plmpress_firings', values: [7, 8], shape: [2] },
        { name: 'token_embd.weight.plmpress_sum2', values: [6], shape: [1] },
      ],
      {
        'general.type': { type: 'string', value: 'imatrix' },
        'imatrix.datasets': { type: 'array', items: 'string', value: ['calibration.txt'] },
        'imatrix.chunk_count': { type: 'u32', value: 7 },
        'imatrix.chunk_size': { type: 'u32', value: 512 },
      },
    );
    assert.deepEqual(bytes, expected);
    assert.equal(imatrixBytes(ORIGIN, statistics), bytes.length);
  });

  it('refuses sums that f32 does not hold', () => {
    for (const value of [NaN, Infinity, 1e39]) {
      const statistics = [statistic('blk.0.ffn_down.weight', 'input', [1, value])];
      const failure = pressFailure(
        'invalid-input',
        /^blk\.0\.ffn_down\.weight\.in_sum2\[1\]: sum is not finite/,
      );
      assert.throws(() => encodeImatrix(ORIGIN, statistics, 2), failure);
    }
  });
});
