import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PlmConfig } from '../../src/core/config.ts';
import type { TokenizerSpec } from '../../src/core/tokenizer/tokenizer-spec.ts';
import { verify } from '../../src/pipeline/verify.ts';
import { SMALL_PLM } from '../support/builders/hollow-model.ts';
import { memoryModel } from '../support/builders/memory-model.ts';
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

describe('an artifact with another tokenizer than its source fails by its member', () => {
  const source = memoryModel(SMALL_PLM);
  const changes: readonly [member: string, change: Partial<TokenizerSpec>][] = [
    ['eos_token', { eosTokenId: 259 }],
    ['bos_token', { bosTokenId: 259 }],
    ['stop_tokens', { stopTokenIds: [258] }],
    ['chat_template', { chatTemplate: '{{ messages }}' }],
    ['normalizer', { normalizer: 'none' }],
    ['normalized_tokens', { added: source.tokenizer.added.map((token) => ({ ...token, normalized: true })) }],
  ];
  for (const [member, change] of changes) {
    it(member, () =>
      assert.rejects(
        verify(source, { ...source, tokenizer: { ...source.tokenizer, ...change } }),
        pressFailure(
          'verification',
          new RegExp(`^tokenizer ${member}\\[\\d\\]: the artifact has another tokenizer`),
        ),
      ),
    );
  }

  it('but for a GGUF, which may have no normalizer', async () => {
    const tokenizer = { ...source.tokenizer, normalizer: 'none' as const };
    const artifact = { ...source, format: 'gguf' as const, tokenizer };
    assert.deepEqual((await verify(source, artifact, { maxTokens: 16 })).failures, []);
  });
});
