import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PlmConfig } from '../../src/core/config.ts';
import { verify } from '../../src/pipeline/verify.ts';
import { SMALL_PLM } from '../support/hollow-model.ts';
import { memoryModel } from '../support/memory-model.ts';
import { pressFailure } from '../support/press-failure.ts';

describe('an artifact with another hyperparameter than its source fails by its name', () => {
  const source = memoryModel(SMALL_PLM);
  const changes: readonly [name: string, change: Partial<PlmConfig>][] = [
    ['rms_norm_eps', { rmsNormEps: 1e-3 }],
    ['rope_theta', { ropeTheta: 0.9 * SMALL_PLM.ropeTheta }],
    ['max_position_embeddings', { maxPositionEmbeddings: SMALL_PLM.maxPositionEmbeddings / 2 }],
    ['rope_interleave', { ropeInterleave: !SMALL_PLM.ropeInterleave }],
  ];
  for (const [name, change] of changes) {
    it(name, () =>
      assert.rejects(
        verify(source, { ...source, config: { ...SMALL_PLM, ...change } }),
        pressFailure('verification', new RegExp(`^config ${name}: the artifact has another configuration`)),
      ),
    );
  }
});

it('hyperparameters that differ in less than F32 holds are the same', async () => {
  const source = memoryModel(SMALL_PLM);
  const stored = { ...SMALL_PLM, rmsNormEps: Math.fround(SMALL_PLM.rmsNormEps) };
  assert.deepEqual((await verify(source, { ...source, config: stored }, { maxTokens: 16 })).failures, []);
});
