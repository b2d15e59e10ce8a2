import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planOnnx } from '../../../formats/onnx/export.ts';
import { openInterpreter } from '../../../src/pipeline/engines/interpreter.ts';
import { hollowModel, SMALL_PLM } from '../../support/builders/hollow-model.ts';
import { memoryModel } from '../../support/builders/memory-model.ts';
import { exportOnnx, largestDifference, openExported } from '../../support/builders/onnx-artifact.ts';
import { OnnxSequences } from '../../support/builders/onnx-sequences.ts';
import { randomGeometry } from '../../support/builders/random-geometry.ts';
import { logitsOf } from '../../support/oracles/logits.ts';
import { oracleLogits } from '../../support/oracles/plm-oracle.ts';
import { pressFailure } from '../../support/press-failure.ts';

/**
 * Largest difference of a logit beside the largest logit. f32: sums in another order, measured 1e-6. f16: 11
 * bits after every node, measured 3e-3. The others against the runtime on the same weights: activations of 8
 * bits, a block or a tensor.
 */
const LIMITS = { f32: 1e-5, f16: 1e-2, q8: 0.15, q4: 0.1, q4f16: 0.1 };

const IDS = [3, 41, 59, 26, 5, 3, 58, 97, 93, 23];

function largest(rows: readonly ArrayLike<number>[]): number {
  return largestDifference(
    rows,
    rows.map((row) => new Float32Array(row.length)),
  );
}

for (const cache of ['latent', 'expanded'] as const) {
  describe(`random geometries with ${cache} cache in ONNX Runtime`, () => {
    for (let seed = 1; seed <= 10; seed++) {
      for (const [scheme, limit] of Object.entries(LIMITS)) {
        it(`onnx:${scheme}, seed ${seed}`, async (t) => {
          const model = memoryModel(randomGeometry(seed), { seed });
          const artifact = await openExported(t, await exportOnnx(t, model, scheme, { cache }));
          const isFloat = scheme === 'f32' || scheme === 'f16';
          const expected = isFloat
            ? await oracleLogits(model, IDS)
            : await logitsOf(artifact, IDS, { attention: cache });
          const graph = await OnnxSequences.open(artifact, { intraOpNumThreads: 1 });
          t.after(() => graph.close());
          const scale = largest(expected);
          const batch = await graph.batch([IDS.slice(0, 4), IDS]);
          for (const rows of [await graph.prefill(IDS), await graph.decode(IDS), batch[1]!, batch[0]!]) {
            const difference = largestDifference(rows, expected.slice(0, rows.length));
            assert.ok(difference <= limit * scale, `difference ${difference} of ${scale}`);
          }
          if (scheme !== 'f32') return;
          const interpreter = await openInterpreter(artifact, { threads: 1 });
          t.after(() => interpreter.close());
          const rows: Float32Array[] = [];
          for await (const row of interpreter.logits(IDS)) rows.push(row.slice());
          const difference = largestDifference(rows, expected);
          assert.ok(difference <= limit * scale, `interpreter: difference ${difference} of ${scale}`);
        });
      }
    }
  });
}

describe('a graph is not planned (exit 7) for', () => {
  const REFUSED = [
    [
      'more positions than a table has',
      'expanded',
      { maxPositionEmbeddings: 2 ** 20 + 1 },
      /^max_position_embeddings: a graph with expanded cache has a table of at most 1048576 positions$/,
    ],
    [
      'kv_b_proj as one matrix with latent cache',
      'latent',
      {},
      /^kv_b_proj: a graph with latent cache stores its two parts; run the pass absorb-mla first$/,
    ],
    [
      'the parts of kv_b_proj with expanded cache',
      'expanded',
      { kvBForm: 'split' },
      /^kv_b_proj: a graph with expanded cache stores it as one matrix, and this model is split; run the pass join-kv-b first$/,
    ],
  ] as const;
  for (const [what, cache, changes, message] of REFUSED) {
    it(what, () => {
      const plan = () =>
        planOnnx(hollowModel({ ...SMALL_PLM, ...changes }), { scheme: 'f32', version: '0', cache });
      assert.throws(plan, pressFailure('unsupported', message));
    });
  }
});
