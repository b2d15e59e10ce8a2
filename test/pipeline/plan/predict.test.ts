import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { kvCacheBytesPerToken, type PlmConfig } from '../../../src/core/config.ts';
import { decodeMacs } from '../../../src/pipeline/plan/decode-macs.ts';
import { DEVICES } from '../../../src/pipeline/plan/devices.ts';
import { predict } from '../../../src/pipeline/plan/predict.ts';
import { planTarget, planTargets } from '../../../src/pipeline/planning/target.ts';
import type { TargetOptions } from '../../../src/pipeline/planning/target-options.ts';
import { hollowModel, PLM_1_8B, SMALL_PLM } from '../../support/builders/hollow-model.ts';
import { pressFailure } from '../../support/press-failure.ts';

const MODEL = hollowModel(PLM_1_8B);

async function predicted(recipe: string, options: TargetOptions = {}, context?: number) {
  const targets = [await planTarget(MODEL, `gguf:${recipe}`, options)];
  return predict(MODEL, targets, context === undefined ? {} : { context }).targets[0]!;
}

describe('the figures of PLM-1.8B', () => {
  it('KV cache: bytes per token', async () => {
    assert.equal(kvCacheBytesPerToken(PLM_1_8B, 'expanded'), 327_680);
    assert.equal(kvCacheBytesPerToken(PLM_1_8B, 'latent'), 36_864);
  });

  it('GMAC a token', async () => {
    const gmac = (form: 'expanded' | 'latent', context: number, config = PLM_1_8B) =>
      (decodeMacs(config, form, context) / 1e9).toFixed(2);
    assert.deepEqual([gmac('expanded', 512), gmac('expanded', 4096)], ['1.91', '2.50']);
    assert.deepEqual([gmac('latent', 512), gmac('latent', 4096)], ['2.11', '4.11']);
    const premultiplied: PlmConfig = { ...PLM_1_8B, kvBForm: 'premultiplied' };
    assert.deepEqual(
      [gmac('latent', 512, premultiplied), gmac('latent', 4096, premultiplied)],
      ['2.85', '4.85'],
    );
    assert.equal(decodeMacs(PLM_1_8B, 'expanded', 0), 1_825_308_672);
  });

  it('q4_k_m as PLM-Team published it, on every device', async () => {
    const { weightBytes, kvBytesPerToken, kvBytes, flopsPerToken, devices } = await predicted('q4_k_m', {
      kvBRule: '2025-03',
    });
    assert.deepEqual([weightBytes, kvBytesPerToken], [1_176_762_368, 327_680]);
    assert.equal(kvBytes, 1280 * 2 ** 20);
    assert.deepEqual(flopsPerToken, { empty: 3_650_617_344, full: 4_992_794_624 });
    const rates = devices.map(({ name, tokensPerSecond: { empty, full } }) => [
      name,
      empty.toFixed(1),
      full.toFixed(1),
    ]);
    assert.deepEqual(rates, [
      ['raspberry-pi-5', '14.5', '6.8'],
      ['phone', '65.3', '30.5'],
      ['jetson-orin-nano', '86.7', '40.5'],
      ['laptop', '87.0', '40.7'],
    ]);
    assert.ok(devices.every(({ fits }) => fits));
  });

  it('ONNX: the latent cache, in the floats that a graph computes with', async () => {
    const figures = async (scheme: string, options: TargetOptions = {}) => {
      const targets = await planTargets(MODEL, [`onnx:${scheme}`], options);
      const { weightBytes, cache, kvBytesPerToken } = predict(MODEL, targets).targets[0]!;
      return [weightBytes, cache, kvBytesPerToken];
    };
    assert.deepEqual(await figures('q4f16'), [1_216_172_032, 'latent', 36_864]);
    assert.deepEqual(await figures('q4'), [1_330_552_832, 'latent', 73_728]);
    assert.deepEqual(await figures('f16', { cache: 'expanded' }), [3_650_916_352, 'expanded', 327_680]);
  });

  it('file and weights of other recipes', async () => {
    assert.equal((await predicted('q8_0')).weightBytes, 1_939_988_480);
    assert.equal((await predicted('q6_k')).weightBytes, 1_497_921_536);
    const { fileBytes, weightBytes } = await predicted('q8_0', { shardSize: 500_000_000 });
    assert.equal(weightBytes, 1_939_988_480);
    assert.ok(fileBytes > (await predicted('q8_0')).fileBytes);
  });

  it('arch deepseek2: the latent in f16, and what llama.cpp reserves with flash attention', async () => {
    const cost = await predicted('q8_0', { arch: 'deepseek2' });
    const { weightBytes, cache, kvBytesPerToken, fileBytes, overheadBytes } = cost;
    assert.deepEqual([weightBytes, cache, kvBytesPerToken], [2_510_413_824, 'latent', 36_864]);
    // llama.cpp v0.5.0 has 304.75 MiB, with 2 rows of the hidden size where the formula has 3.
    assert.equal((overheadBytes - (fileBytes - weightBytes)) / 2 ** 20, 308.75);
    // Without a long vocabulary attention decides: llama.cpp has 31.76 MiB.
    const widths = { hiddenSize: 768, numAttentionHeads: 6, kvLoraRank: 320, qkNopeHeadDim: 96 };
    const heads = { qkRopeHeadDim: 32, vHeadDim: 160, vocabSize: 2000, maxPositionEmbeddings: 16_384 };
    const model = hollowModel({ ...PLM_1_8B, ...widths, ...heads });
    const target = await planTarget(model, 'gguf:f16', { arch: 'deepseek2' });
    const odd = predict(model, [target]).targets[0]!;
    assert.equal((odd.overheadBytes - (odd.fileBytes - odd.weightBytes)) / 2 ** 20, 31.75);
  });

  it('peak memory is weights, cache and overhead', async () => {
    const cost = await predicted('q8_0', {}, 1000);
    const { fileBytes, weightBytes, kvBytes, overheadBytes, peakBytes } = cost;
    assert.equal(kvBytes, 327_680_000);
    assert.equal(overheadBytes, fileBytes - weightBytes + 4 * 512 * (3 * 2048 + 151_936));
    assert.equal(peakBytes, weightBytes + kvBytes + overheadBytes);
  });
});

describe('predict', () => {
  it('puts the largest target first, and devices as they were given', async () => {
    const targets = await planTargets(MODEL, ['gguf:q4_0', 'gguf:f32', 'gguf:q8_0']);
    const devices = [...DEVICES].reverse();
    const prediction = predict(MODEL, targets, { devices });
    assert.deepEqual(
      prediction.targets.map(({ target }) => target),
      ['gguf:f32', 'gguf:q8_0', 'gguf:q4_0'],
    );
    assert.deepEqual(
      prediction.targets[0]!.devices.map(({ name, fits }) => [name, fits]),
      [
        ['laptop', true],
        ['jetson-orin-nano', false],
        ['phone', false],
        ['raspberry-pi-5', false],
      ],
    );
    assert.equal(prediction.context, 4096);
  });

  it('fits to the byte', async () => {
    const { peakBytes } = await predicted('q8_0');
    const targets = [await planTarget(MODEL, 'gguf:q8_0')];
    const fits = (memoryBytes: number) =>
      predict(MODEL, targets, {
        devices: [{ name: 'exact', bytesPerSecond: 1, memoryBytes, usableShare: 1 }],
      }).targets[0]!.devices[0]!.fits;
    assert.deepEqual([fits(peakBytes), fits(peakBytes - 1)], [true, false]);
  });

  it('an embedding that is not the head too is only looked up', async () => {
    const tied = decodeMacs(SMALL_PLM, 'expanded', 7);
    assert.equal(decodeMacs({ ...SMALL_PLM, tieWordEmbeddings: false }, 'expanded', 7), tied);
  });

  it('takes no more context than the model has positions', async () => {
    assert.throws(
      () => predict(MODEL, [], { context: 4097 }),
      pressFailure('usage', /context of 4097 tokens, expected at most the model's 4096/),
    );
  });
});
