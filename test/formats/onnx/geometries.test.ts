import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PlmConfig } from '../../../src/core/config.ts';
import { openInterpreter } from '../../../src/pipeline/engines/interpreter.ts';
import { SMALL_PLM } from '../../support/hollow-model.ts';
import { logitsOf } from '../../support/logits.ts';
import { memoryModel } from '../../support/memory-model.ts';
import { exportOnnx, largestDifference, openExported } from '../../support/onnx-artifact.ts';
import { OnnxSequences } from '../../support/onnx-sequences.ts';
import { oracleLogits } from '../../support/plm-oracle.ts';
import { uniform } from '../../support/samples.ts';

/**
 * Largest difference of a logit beside the largest logit. f32: sums in another order, measured 1e-6. f16: 11 bits after every
 * node, measured 3e-3. The others against the runtime on the same weights: activations of 8 bits, a block or a tensor.
 */
const LIMITS = { f32: 1e-5, f16: 1e-2, q8: 0.15, q4: 0.1, q4f16: 0.1 };

const IDS = [3, 41, 59, 26, 5, 3, 58, 97, 93, 23];

/** A PLM whose sizes no engine favours: few of them are multiples of anything. */
function randomGeometry(seed: number): PlmConfig {
  const next = uniform(seed);
  const between = (first: number, last: number) => first + Math.floor(next() * (last - first + 1));
  const layers = between(1, 3);
  const isBiased = next() < 0.4;
  return {
    ...SMALL_PLM,
    vocabSize: between(262, 300),
    hiddenSize: between(33, 90),
    numHiddenLayers: layers,
    numAttentionHeads: 2 * between(0, 3) + 1,
    intermediateSizes: Array.from({ length: layers }, () => between(20, 130)),
    kvLoraRank: between(10, 70),
    qLoraRank: next() < 0.3 ? between(10, 40) : undefined,
    qkNopeHeadDim: between(5, 40),
    qkRopeHeadDim: 2 * between(1, 12),
    vHeadDim: between(5, 40),
    ropeInterleave: next() < 0.5,
    maxPositionEmbeddings: 32,
    tieWordEmbeddings: next() < 0.6,
    ...(isBiased && { ffnBias: true }),
  };
}

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
          const interpreter = await openInterpreter(artifact, { contextLength: IDS.length, threads: 1 });
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
