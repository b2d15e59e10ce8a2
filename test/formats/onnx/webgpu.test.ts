import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { openHfFolder } from '../../../formats/hf/import.ts';
import type { CacheForm } from '../../../src/core/config.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { memoryModel } from '../../support/builders/memory-model.ts';
import { ODD_PLM } from '../../support/builders/odd-plm.ts';
import { exportOnnx, largestDifference, openExported } from '../../support/builders/onnx-artifact.ts';
import { OnnxSequences } from '../../support/builders/onnx-sequences.ts';
import { LEAD_NOISE, lostLead } from '../../support/oracles/greedy.ts';
import { logitsOf } from '../../support/oracles/logits.ts';
import { NO_GPU } from '../../support/oracles/onnxruntime.ts';
import { fixture } from '../../support/paths.ts';

/**
 * Graphs on ONNX Runtime's WebGPU kernels, which have no f16 in software, against the runtime on the same
 * weights.
 *
 * Largest difference of a logit of plm-tiny; they are up to 30. f32: sums in another order, measured 1.8e-5.
 * q4: kernels round activations to 8 bits per block of 128, measured 0.25.
 */
const LIMITS = { f32: 2e-4, q4: 0.5 };

/**
 * Beside the largest logit, of a PLM whose sizes no kernel that rounds activations takes: sums in another
 * order, measured 1e-6.
 */
const ODD_LIMIT = 1e-5;

const golden = JSON.parse(readFileSync(fixture('plm-tiny', 'golden.json'), 'utf8')) as {
  readonly ids: readonly number[];
};

/**
 * Logits of a graph, all tokens at once and the first ones through the cache, beside those of the runtime.
 */
async function logitsOnGpu(
  t: TestContext,
  model: Model,
  { scheme, cache, ids }: { scheme: string; cache: CacheForm; ids: readonly number[] },
) {
  const artifact = await openExported(t, await exportOnnx(t, model, scheme, { cache }));
  const expected = await logitsOf(artifact, ids, { attention: cache });
  const graph = await OnnxSequences.open(artifact, { provider: 'webgpu' });
  t.after(() => graph.close());
  const prefill = await graph.prefill(ids);
  const decode = await graph.decode(ids.slice(0, 2));
  const difference = Math.max(
    largestDifference(expected, prefill),
    largestDifference(expected.slice(0, decode.length), decode),
  );
  return { expected, prefill, difference };
}

describe('ONNX Runtime gives the logits of the runtime on WebGPU', { skip: NO_GPU }, () => {
  for (const scheme of ['f32', 'q4'] as const) {
    it(`onnx:${scheme} of plm-tiny`, async (t) => {
      const source = await openHfFolder(fixture('plm-tiny'));
      t.after(() => closeModel(source));
      const form = { scheme, cache: 'latent', ids: golden.ids.slice(0, 16) } as const;
      const { expected, prefill, difference } = await logitsOnGpu(t, source, form);
      assert.ok(difference <= LIMITS[scheme], `difference ${difference}`);
      const loss = lostLead(expected, prefill);
      assert.ok(loss <= LEAD_NOISE[scheme], `a loss of ${loss}`);
    });
  }

  // Each scheme with one cache: kernels take seconds to compile in software.
  for (const form of [
    { scheme: 'f32', cache: 'expanded' },
    { scheme: 'q4', cache: 'latent' },
  ] as const) {
    it(`onnx:${form.scheme} of a PLM with every option and odd sizes, ${form.cache} cache`, async (t) => {
      const ids = [3, 41, 59, 26, 5, 3, 58];
      const { expected, difference } = await logitsOnGpu(t, memoryModel(ODD_PLM), { ...form, ids });
      const largest = Math.max(...expected.map((row) => Math.max(...row.map(Math.abs))));
      assert.ok(difference <= ODD_LIMIT * largest, `difference ${difference} of ${largest}`);
    });
  }
});
