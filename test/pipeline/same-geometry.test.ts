import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planTarget } from '../../src/pipeline/planning/target.ts';
import { SMALL_PLM } from '../support/builders/hollow-model.ts';
import { randomImatrix } from '../support/builders/imatrix-files.ts';
import { memoryModel } from '../support/builders/memory-model.ts';
import { madeUpStatistics } from '../support/builders/statistics.ts';

const deeper = {
  ...SMALL_PLM,
  numHiddenLayers: SMALL_PLM.numHiddenLayers + 1,
  intermediateSizes: [...SMALL_PLM.intermediateSizes, SMALL_PLM.intermediateSizes[0]!],
};
const wider = { ...SMALL_PLM, intermediateSizes: SMALL_PLM.intermediateSizes.map((width) => 2 * width) };

describe('calibrations of another model are refused', () => {
  const model = memoryModel(SMALL_PLM);
  for (const target of ['gguf:q8_0', 'onnx:q4', 'webgpu:q4']) {
    it(`for ${target}`, async () => {
      const layers = SMALL_PLM.numHiddenLayers;
      await assert.rejects(planTarget(model, target, { imatrix: randomImatrix(deeper) }), {
        failure: 'invalid-input',
        message: `plm.imatrix.gguf: does not fit this model: layers, got ${layers + 1}, expected ${layers}`,
      });
      for (const config of [deeper, wider]) {
        await assert.rejects(planTarget(model, target, { statistics: madeUpStatistics(config) }), {
          failure: 'invalid-input',
          message: /does not fit this model: neurons by layer, got "\d+ x \d+", expected \d+ x \d+$/,
        });
      }
    });
  }

  it('where no entry is of this model', async () => {
    const imatrix = randomImatrix(SMALL_PLM, {
      entries: new Map([['blk.0.attn_qkv.weight', Float32Array.of(1, 2)]]),
    });
    await assert.rejects(planTarget(model, 'gguf:q8_0', { imatrix }), {
      failure: 'invalid-input',
      message: /no entry is of this model: blk\.0\.attn_qkv\.weight$/,
    });
  });
});
