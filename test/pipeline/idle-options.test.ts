import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PASSES } from '../../src/passes/index.ts';
import { assertPassRuns } from '../../src/passes/run.ts';
import { idleOptions } from '../../src/pipeline/planning/idle-options.ts';
import { planTarget } from '../../src/pipeline/planning/target.ts';
import type { TargetOptions } from '../../src/pipeline/planning/target-options.ts';
import { hollowModel, SMALL_PLM } from '../support/builders/hollow-model.ts';
import { randomImatrix } from '../support/builders/imatrix-files.ts';

const MODEL = hollowModel(SMALL_PLM);

async function idle(target: string, options: TargetOptions): Promise<string[]> {
  return idleOptions(MODEL, await planTarget(MODEL, target, options), options).map(({ option }) => option);
}

describe('options that change nothing in a target', () => {
  // By ggml's quantizers, which ignore an imatrix where they have no search for scales.
  const imatrix = randomImatrix(SMALL_PLM);
  for (const [target, isIdle] of [
    ['gguf:f16', true],
    ['gguf:q8_0', true],
    ['gguf:tq2_0', true],
    ['gguf:q6_k', false],
    ['gguf:q4_1', false],
    ['gguf:iq4_nl', false],
    ['gguf:mxfp4_moe', true],
    ['onnx:q8', true],
    ['onnx:q4', false],
    ['webgpu:q4', true],
  ] as const) {
    it(`--imatrix ${isIdle ? 'does nothing' : 'weighs'} in ${target}`, async () => {
      assert.deepEqual(await idle(target, { imatrix }), isIdle ? ['imatrix'] : []);
    });
  }

  it('are --pure and --kv-b-rule where the recipe has no such rule', async () => {
    assert.deepEqual(await idle('gguf:q8_0', { pure: true, kvBRule: '2025-03' }), ['pure', 'kvBRule']);
    assert.deepEqual(await idle('gguf:q4_k_m', { pure: true }), []);
    assert.deepEqual(await idle('gguf:q4_k_m', { kvBRule: '2025-03' }), []);
    assert.deepEqual(await idle('gguf:q5_k_s', { kvBRule: '2025-03' }), ['kvBRule']);
    assert.deepEqual(await idle('gguf:q8_0', { kvBRule: 'current' }), []);
  });

  it('passes say that they go by statistics if they cannot run without', () => {
    for (const { name, readsStatistics } of PASSES) {
      const run = () => assertPassRuns(MODEL, { name, options: {} });
      if (readsStatistics) assert.throws(run, /needs statistics/, name);
      else assert.doesNotThrow(run, name);
    }
  });
});
