import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chunkSize, collectStatistics, cutChunks } from '../../calibration/collect.ts';
import { statisticSlots, statistics } from '../../calibration/statistics.ts';
import type { PlmConfig } from '../../src/core/config.ts';
import { plmTensors } from '../../src/core/names.ts';
import { absorbMla } from '../../src/passes/absorb-mla.ts';
import { hollowModel, PLM_1_8B, SMALL_PLM } from '../support/hollow-model.ts';
import { memoryModel } from '../support/memory-model.ts';
import { oracleLogits } from '../support/plm-oracle.ts';

const CONFIG: PlmConfig = {
  ...SMALL_PLM,
  vocabSize: 300,
  hiddenSize: 50,
  numHiddenLayers: 2,
  numAttentionHeads: 3,
  intermediateSizes: [67, 141],
  kvLoraRank: 19,
  qkNopeHeadDim: 7,
  qkRopeHeadDim: 6,
  vHeadDim: 9,
  maxPositionEmbeddings: 64,
};

const CHUNKS = [[7, 299, 0, 31, 31, 150, 8, 42, 260], [1, 99, 77, 5, 6, 64, 200], [128]];

/** GGUF name of each matrix by its role, or by what the oracle calls it. */
function ggufNames(config: PlmConfig): Map<string, string> {
  const names = plmTensors(config).map(
    ({ role, layer, ggufName }) => [`${role} ${layer}`, ggufName!] as const,
  );
  const heads = config.intermediateSizes.flatMap((_, layer) =>
    ['k_b', 'v_b'].map((matrix) => [`${matrix} ${layer}`, `blk.${layer}.attn_${matrix}.weight`] as const),
  );
  return new Map([...names, ...heads, ['head 0', 'token_embd.weight']]);
}

describe('calibration', () => {
  it('sums what each matrix is multiplied with, as f64 code straight from the formulas does', async () => {
    const model = memoryModel(CONFIG);
    const names = ggufNames(CONFIG);
    const sums = new Map<string, number[]>();
    const firings = new Map<string, number[]>();
    const add = (to: Map<string, number[]>, key: string, terms: number[]) =>
      to.set(key, to.get(key)?.map((value, i) => value + terms[i]!) ?? terms);
    for (const ids of CHUNKS) {
      await oracleLogits(model, ids, {
        watch: (matrix, layer, input) => {
          const squares = input.map((value) => value * value);
          add(sums, names.get(`${matrix} ${layer}`)!, squares);
          if (matrix !== 'down_proj') return;
          const fired = input.map((value) => Number(value > 0));
          add(firings, names.get(`up_proj ${layer}`)!, fired);
        },
      });
    }

    const collected = await collectStatistics(model, CHUNKS, { contextLength: 16, batch: 4, threads: 2 });
    assert.equal(collected.tokens, 17);
    const actual = statistics(CONFIG, collected);
    assert.equal(actual.length, sums.size + firings.size);
    for (const { matrix, kind, shape, values } of actual) {
      const expected = (kind === 'firings' ? firings : sums).get(matrix)!;
      assert.equal(values.length, expected.length, matrix);
      assert.equal(
        shape.reduce((a, b) => a * b),
        values.length,
      );
      if (kind === 'firings') {
        assert.deepEqual([...values], expected, matrix);
        continue;
      }
      const largest = Math.max(...expected);
      values.forEach((value, i) => {
        // Sums of a channel that hardly moves carry the rounding of those that do.
        const tolerance = 1e-5 * expected[i]! + 1e-7 * largest;
        assert.ok(
          Math.abs(value - expected[i]!) <= tolerance,
          `${matrix} ${kind}[${i}]: ${value}, expected ${expected[i]}`,
        );
      });
    }
  });

  it('takes what a premultiplied model is multiplied with, which for o_proj is the context', async () => {
    const model = memoryModel(CONFIG);
    const premultiplied = absorbMla.run(model, { form: 'premultiplied' });
    const options = { contextLength: 16, threads: 1 };
    const [before, after] = [
      await collectStatistics(model, CHUNKS, options),
      await collectStatistics(premultiplied, CHUNKS, options),
    ];
    const [a, b] = [before.layers[1]!.squares, after.layers[1]!.squares];
    const largest = Math.max(...a.context);
    assert.equal(b.attended.length, a.context.length);
    // Both are f32 activations of the same model, rounded at other places.
    assert.ok(b.attended.every((value, i) => Math.abs(value - a.context[i]!) <= 1e-4 * largest));
    const arrays = statistics(premultiplied.config, after);
    assert.deepEqual(
      arrays.flatMap(({ matrix, kind, shape }) =>
        matrix.startsWith('blk.1.') ? [[matrix, kind, ...shape]] : [],
      ),
      [
        ['blk.1.attn_q.weight', 'input', 50],
        ['blk.1.attn_kv_a_mqa.weight', 'input', 50],
        ['blk.1.attn_output.weight', 'input', 57],
        ['blk.1.ffn_up.weight', 'input', 50],
        ['blk.1.ffn_down.weight', 'input', 141],
        ['blk.1.ffn_up.weight', 'firings', 141],
      ],
    );
    assert.ok(arrays.every(({ shape, values }) => values.length === shape.reduce((x, y) => x * y)));
  });

  it('does not depend on threads, batches or implementation by a bit', async () => {
    const model = memoryModel(CONFIG);
    const run = (options: object) => collectStatistics(model, CHUNKS, { contextLength: 16, ...options });
    const expected = await run({ threads: 1 });
    assert.deepEqual(await run({ threads: 2, batch: 3 }), expected);
    assert.deepEqual(await run({ threads: 5, batch: 1 }), expected);
    assert.deepEqual(await run({ threads: 1, implementation: 'plain' }), expected);
  });

  it('has six matrices a layer for quantizers, and the head apart', () => {
    const slots = statisticSlots(PLM_1_8B);
    const inputs = slots.filter(({ kind }) => kind === 'input');
    assert.equal(inputs.length, 192);
    assert.ok(inputs.every(({ matrix }) => matrix.startsWith('blk.')));
    const head = slots.filter(({ matrix }) => matrix === 'token_embd.weight');
    assert.deepEqual(
      head.map(({ kind }) => kind),
      ['extra-input'],
    );
  });

  it('cuts chunks that never run over the end of a text', () => {
    assert.deepEqual(cutChunks([[1, 2, 3, 4, 5], [], [6]], 2), [[1, 2], [3, 4], [5], [6]]);
    assert.equal(chunkSize(hollowModel(PLM_1_8B)), 512);
    assert.equal(chunkSize(hollowModel({ ...SMALL_PLM, maxPositionEmbeddings: 64 })), 64);
  });
});
