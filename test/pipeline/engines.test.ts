import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openEngine } from '../../src/pipeline/engines/index.ts';
import { hollowModel, SMALL_PLM } from '../support/builders/hollow-model.ts';
import { pressFailure } from '../support/press-failure.ts';

describe('an engine', () => {
  it('runs the artifacts that it is for', async () => {
    const model = hollowModel(SMALL_PLM);
    for (const [engine, what] of [
      ['onnxruntime', /^the engine onnxruntime runs ONNX graphs only, got /],
      ['webgpu', /^--device webgpu runs WebGPU bundles only, got /],
    ] as const) {
      await assert.rejects(openEngine(model, engine, [[1]]), pressFailure('unsupported', what));
    }
  });
});
