import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Calibrated, encodeValues, planImatrix } from '../../../formats/imatrix/writer.ts';
import type { StatisticSlot } from '../../../src/core/statistic-slot.ts';
import { imatrixGguf, imatrixTensors } from '../../support/builders/imatrix-files.ts';
import { pressFailure } from '../../support/press-failure.ts';

const ORIGIN = { datasets: ['texts/calibration.txt'], weights: [1], chunks: 7, chunkSize: 512, sha256: 'ab' };

interface Statistic extends StatisticSlot {
  readonly values: readonly number[];
}

const statistic = (matrix: string, kind: StatisticSlot['kind'], values: readonly number[]): Statistic => ({
  matrix,
  kind,
  shape: [values.length],
  values,
});

const METADATA = {
  'general.type': { type: 'string', value: 'imatrix' },
  'imatrix.datasets': { type: 'array', items: 'string', value: ['calibration.txt'] },
  'imatrix.chunk_count': { type: 'u32', value: 7 },
  'imatrix.chunk_size': { type: 'u32', value: 512 },
  'plmpress.text_sha256': { type: 'string', value: 'ab' },
} as const;

function written(calibrated: Calibrated, statistics: readonly Statistic[], tokens: number): Uint8Array {
  const { header, bytes, tensors } = planImatrix(calibrated, statistics);
  const file = new Uint8Array(bytes);
  file.set(header);
  for (const { name, offset, slot } of tensors)
    file.set(encodeValues(name, slot?.values ?? [tokens]), offset);
  return file;
}

describe('writer of importance matrices', () => {
  it('orders names as llama-imatrix does, then the extras, and hides paths', () => {
    const statistics = [
      statistic('blk.2.attn_q.weight', 'input', [1, 2, 3]),
      statistic('blk.10.attn_q.weight', 'input', [4, 5]),
      statistic('token_embd.weight', 'extra-input', [6]),
      statistic('blk.2.ffn_up.weight', 'firings', [7, 8]),
      statistic('blk.2.ffn_down.weight', 'moments', [9, 10, 11]),
    ];
    const tensors = [
      ...imatrixTensors({
        'blk.10.attn_q.weight': { sums: [4, 5], count: 99 },
        'blk.2.attn_q.weight': { sums: [1, 2, 3], count: 99 },
      }),
      { name: 'blk.2.ffn_down.weight.plmpress_moments', values: [9, 10, 11], shape: [3] },
      { name: 'blk.2.ffn_up.weight.plmpress_firings', values: [7, 8], shape: [2] },
      { name: 'token_embd.weight.plmpress_sum2', values: [6], shape: [1] },
    ];
    assert.deepEqual(written(ORIGIN, statistics, 99), imatrixGguf(tensors, METADATA));
    const weighed = { 'plmpress.text_weights': { type: 'array', items: 'f32', value: [2] } } as const;
    const expected = imatrixGguf(tensors, { ...METADATA, ...weighed });
    assert.deepEqual(written({ ...ORIGIN, weights: [2] }, statistics, 99), expected);
  });

  it('refuses sums that f32 does not hold', () => {
    for (const value of [NaN, Infinity, 1e39]) {
      const failure = pressFailure('invalid-input', /^x\.in_sum2\[8\]: sum is not finite/);
      assert.throws(() => encodeValues('x.in_sum2', [1, value], 7), failure);
    }
  });
});
