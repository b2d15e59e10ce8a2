import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { type CollectOptions, collectStatistics } from '../../calibration/collect.ts';
import type { PlmConfig } from '../../src/core/config.ts';
import type { Model } from '../../src/core/model.ts';
import { openDeviceStatistics } from '../../src/pipeline/engines/webgpu-statistics.ts';
import { type ActivationStatistics, SITES } from '../../src/runtime/activation-sums.ts';
import { useSoftwareGpu } from '../support/dawn.ts';
import { SMALL_PLM } from '../support/hollow-model.ts';
import { memoryModel } from '../support/memory-model.ts';
import { ODD_PLM } from '../support/odd-plm.ts';

before(useSoftwareGpu);

/** Batches that are full, have a rest, and are a single token. */
const CHUNKS = [
  { ids: Array.from({ length: 40 }, (_, i) => (i * 37 + 3) % 256), weight: 1 },
  { ids: [5, 6, 7], weight: 2 },
  { ids: [8], weight: 0.5 },
];

async function collect(model: Model, options: Partial<CollectOptions> = {}): Promise<ActivationStatistics> {
  let found: ActivationStatistics | undefined;
  await collectStatistics(model, CHUNKS, { contextLength: 40, ...options }, (sums) => {
    found = sums;
  });
  return found!;
}

function collectOnDevice(model: Model): Promise<ActivationStatistics> {
  return collect(model, { open: (request) => openDeviceStatistics(model, request, { contextLength: 40, threads: 1 }) });
}

const relative = (actual: ArrayLike<number>, expected: ArrayLike<number>) => {
  let most = 0;
  for (let i = 0; i < expected.length; i++) most = Math.max(most, Math.abs(actual[i]! - expected[i]!) / Math.abs(expected[i]!));
  return most;
};

const CONFIGS: Record<string, PlmConfig> = {
  small: { ...SMALL_PLM, maxPositionEmbeddings: 64 },
  odd: { ...ODD_PLM, maxPositionEmbeddings: 64 },
};

describe('sums', () => {
  for (const [name, config] of Object.entries(CONFIGS)) {
    it(name, async () => {
      const model = memoryModel(config, { scheme: 'F16' });
      const t0 = performance.now();
      const actual = await collectOnDevice(model);
      console.log('gpu', performance.now() - t0);
      const expected = await collect(model);
      assert.equal(actual.tokens, expected.tokens);
      for (const [layer, sums] of actual.layers.entries()) {
        for (const site of SITES) {
          console.log(layer, site, relative(sums.squares[site], expected.layers[layer]!.squares[site]));
        }
        console.log('acts', relative(sums.activations, expected.layers[layer]!.activations));
        console.log('firings', Math.max(...sums.firings.map((v, i) => Math.abs(v - expected.layers[layer]!.firings[i]!))));
        console.log('fired', sums.fired.filter((v, i) => v !== expected.layers[layer]!.fired[i]).length);
      }
      console.log('head', relative(actual.head, expected.head));
    });
  }
});
