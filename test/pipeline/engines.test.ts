import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertHolds } from '../../formats/onnx/architecture.ts';
import { openEngine } from '../../src/pipeline/engines/index.ts';
import { hollowModel, SMALL_PLM } from '../support/hollow-model.ts';
import { pressFailure } from '../support/press-failure.ts';

describe('an engine', () => {
  it('runs the artifacts that it is for', async () => {
    const model = hollowModel(SMALL_PLM);
    for (const [engine, what] of [
      ['onnxruntime', /^the engine onnxruntime runs graphs of ONNX, got /],
      ['webgpu', /^WebGPU runs bundles of webgpu:SCHEME, got /],
    ] as const) {
      await assert.rejects(
        openEngine(model, engine, { contextLength: 8 }),
        pressFailure('unsupported', what),
      );
    }
  });
});

describe('a graph of ONNX holds', () => {
  it('no more positions than its table may have', () => {
    assert.throws(
      () => assertHolds('latent', { ...SMALL_PLM, maxPositionEmbeddings: 2 ** 20 + 1 }),
      pressFailure('unsupported', /^max_position_embeddings: .* a table of at most 1048576 positions$/),
    );
  });

  it('kv_b_proj in the form that its cache asks for', () => {
    assert.throws(
      () => assertHolds('latent', SMALL_PLM),
      pressFailure('unsupported', /^kv_b_proj: .* run the pass absorb-mla first$/),
    );
    assert.throws(
      () => assertHolds('expanded', { ...SMALL_PLM, kvBForm: 'split' }),
      pressFailure('unsupported', /^kv_b_proj: .* holds it as one matrix, and this model has its parts$/),
    );
  });
});
