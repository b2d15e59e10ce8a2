import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { openHfFolder } from '../../../formats/hf/import.ts';
import type { OnnxArtifact } from '../../../formats/onnx/import/open.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { openInterpreter } from '../../../src/pipeline/engines/interpreter.ts';
import { openOnnxRuntime } from '../../../src/pipeline/engines/onnxruntime.ts';
import { exportOnnx, largestDifference, openExported } from '../../support/builders/onnx-artifact.ts';
import { OnnxSequences } from '../../support/builders/onnx-sequences.ts';
import { logitsOf } from '../../support/oracles/logits.ts';
import { fixture } from '../../support/paths.ts';
import { pressFailure } from '../../support/press-failure.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/**
 * Largest difference of a logit from golden ones, which are up to 30. f32: the promise of the issue; measured
 * 2.6e-5, sums in another order. f16: activations are rounded to 11 bits after every node; measured 0.020.
 */
const LIMITS = { f32: 2e-4, f16: 5e-2 };

/**
 * Largest difference of a logit from the runtime on the same rounded weights, f32 activations: what rounding
 * activations costs. q4: to 8 bits per block of 32, measured 0.21. q4f16: that and f16, measured 0.21. q8: to
 * 8 bits per tensor, measured 0.65.
 */
const ROUNDED_ACTIVATIONS = { q4: 0.4, q4f16: 0.4, q8: 1.2 };

const golden = JSON.parse(readFileSync(fixture('plm-tiny', 'golden.json'), 'utf8')) as {
  readonly ids: readonly number[];
  readonly logits: readonly (readonly number[])[];
};

let source: Model;
before(async () => {
  source = await openHfFolder(fixture('plm-tiny'));
});
after(() => closeModel(source));

async function sequences(t: TestContext, artifact: OnnxArtifact): Promise<OnnxSequences> {
  const opened = await OnnxSequences.open(artifact, { intraOpNumThreads: 1 });
  t.after(() => opened.close());
  return opened;
}

for (const cache of ['latent', 'expanded'] as const) {
  for (const [scheme, limit] of Object.entries(LIMITS)) {
    describe(`onnx:${scheme} of plm-tiny, ${cache} cache, in ONNX Runtime against golden logits`, () => {
      const assertGolden = (rows: readonly Float32Array[], first = 0) => {
        const expected = golden.logits.slice(first, first + rows.length);
        const difference = largestDifference(expected, rows);
        assert.ok(difference <= limit, `difference ${difference}`);
      };

      it('prefill, token by token, and a batch of three padded on the left', async (t) => {
        const artifact = await openExported(t, await exportOnnx(t, source, scheme, { cache }));
        const graph = await sequences(t, artifact);
        assertGolden(await graph.prefill(golden.ids));
        assertGolden(await graph.decode(golden.ids));
        const lengths = [golden.ids.length, 7, 1];
        const batch = await graph.batch(lengths.map((length) => golden.ids.slice(0, length)));
        for (const [index, length] of lengths.entries()) {
          assert.equal(batch[index]!.length, length);
          assertGolden(batch[index]!);
        }
      });
    });
  }

  for (const [scheme, limit] of Object.entries(ROUNDED_ACTIVATIONS)) {
    it(`onnx:${scheme} of plm-tiny, ${cache} cache, in ONNX Runtime against the runtime on the same weights`, async (t) => {
      const artifact = await openExported(t, await exportOnnx(t, source, scheme, { cache }));
      const expected = await logitsOf(artifact, golden.ids, { attention: cache });
      const graph = await sequences(t, artifact);
      for (const rows of [await graph.prefill(golden.ids), await graph.decode(golden.ids)]) {
        const difference = largestDifference(expected, rows);
        assert.ok(difference <= limit, `difference ${difference}`);
      }
    });
  }

  it(`the interpreter gives the logits of onnx:f32, ${cache} cache, in ONNX Runtime`, async (t) => {
    const artifact = await openExported(t, await exportOnnx(t, source, 'f32', { cache }));
    const interpreter = await openInterpreter(artifact, { threads: 1 });
    t.after(() => interpreter.close());
    const rows: Float32Array[] = [];
    for await (const row of interpreter.logits(golden.ids)) rows.push(row.slice());
    const difference = largestDifference(rows, await (await sequences(t, artifact)).prefill(golden.ids));
    assert.ok(difference <= 1e-4, `difference ${difference}`);
  });
}

it('onnx:f32 of plm-tiny with kv_b multiplied into queries and outputs, against golden logits', async (t) => {
  const passes = [{ name: 'absorb-mla', options: { form: 'premultiplied' } }];
  const artifact = await openExported(t, await exportOnnx(t, source, 'f32', { passes }));
  const difference = largestDifference(
    golden.logits,
    await (await sequences(t, artifact)).prefill(golden.ids),
  );
  assert.ok(difference <= LIMITS.f32, `difference ${difference}`);
});

it('a graph loads with all optimizations and with none', async (t) => {
  for (const scheme of ['f32', 'f16', 'q8', 'q4', 'q4f16']) {
    const artifact = await openExported(t, await exportOnnx(t, source, scheme));
    for (const graphOptimizationLevel of ['disabled', 'basic', 'extended', 'all'] as const) {
      const graph = await OnnxSequences.open(artifact, { graphOptimizationLevel, intraOpNumThreads: 1 });
      assert.equal((await graph.prefill([1, 2, 3])).length, 3);
      await graph.close();
    }
  }
});

it('a graph that ONNX Runtime does not load is told in one line', async (t) => {
  const artifact = await openExported(t, await exportOnnx(t, source, 'f32'));
  const graphPath = path.join(temporaryFolder(t), 'broken.onnx');
  writeFileSync(graphPath, 'no graph');
  await assert.rejects(
    openOnnxRuntime({ ...artifact, graphPath }, { threads: 1 }),
    pressFailure('verification', /^ONNX Runtime rejects the graph: .*broken\.onnx.*$/),
  );
});
