import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CollectOptions, chunkSize, collectStatistics, cutChunks } from '../../calibration/collect.ts';
import { momentGroups } from '../../calibration/moments.ts';
import { momentSlots, sumSlots } from '../../calibration/statistics.ts';
import type { PlmConfig } from '../../src/core/config.ts';
import { closeModel } from '../../src/core/model.ts';
import { layerTensorName, plmTensors } from '../../src/core/names.ts';
import { SAMPLE_WORDS } from '../../src/core/statistics.ts';
import { absorbMla } from '../../src/passes/absorb-mla.ts';
import { openSource } from '../../src/pipeline/sources/open.ts';
import { encodeTexts } from '../../src/pipeline/sources/read-text.ts';
import type { ActivationStatistics } from '../../src/runtime/activation-sums.ts';
import { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { hollowModel, PLM_1_8B, SMALL_PLM } from '../support/builders/hollow-model.ts';
import { memoryModel, tensorValues } from '../support/builders/memory-model.ts';
import { fixtureText } from '../support/builders/statistics.ts';
import { usePlainKernels } from '../support/drivers/plain-kernels.ts';
import { oracleLogits } from '../support/oracles/plm-oracle.ts';
import { fixture } from '../support/paths.ts';

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

const CHUNKS = [
  { ids: [7, 299, 0, 31, 31, 150, 8, 42, 260], weight: 1 },
  { ids: [1, 99, 77, 5, 6, 64, 200], weight: 2 },
  { ids: [128], weight: 0.5 },
];
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

const MOMENTS = momentGroups(CONFIG, ['kv_b_proj', 'down_proj', 'lm_head'], 1e9);

/** Copies of all that is gathered, in one reading. */
async function collect(
  options: Partial<CollectOptions> = {},
  model = memoryModel(CONFIG),
): Promise<ActivationStatistics> {
  const copies: ActivationStatistics[] = [];
  const all = { contextLength: 16, readings: MOMENTS, ...options };
  await collectStatistics(model, CHUNKS, all, (sums) => {
    copies.push({ ...sums, moments: sums.moments.map((triangle) => triangle.slice()) });
  });
  return { ...copies[0]!, moments: copies.flatMap(({ moments }) => moments) };
}

/** What f64 code straight from the formulas gathers, by kind and GGUF name of the matrix. */
async function expectedStatistics(): Promise<Map<string, number[]>> {
  const model = memoryModel(CONFIG);
  const names = ggufNames(CONFIG);
  const expected = new Map<string, number[]>();
  const add = (kind: string, matrix: string, terms: readonly number[], weight: number) => {
    const before = expected.get(`${matrix} ${kind}`) ?? terms.map(() => 0);
    const after = before.map((value, i) => value + weight * terms[i]!);
    expected.set(`${matrix} ${kind}`, after);
  };
  const down = await Promise.all(
    [0, 1].map((layer) => tensorValues(model.tensors.get(layerTensorName('down_proj', layer))!)),
  );
  let [first, token] = [0, 0];
  for (const { ids, weight } of CHUNKS) {
    await oracleLogits(model, ids, {
      watch: (matrix, layer, input) => {
        const name = names.get(`${matrix} ${layer}`)!;
        const isExtra = ['k_b', 'v_b', 'head'].includes(matrix);
        const squares = input.map((value) => value * value);
        add(isExtra ? 'extra-input' : 'input', name, squares, weight);
        if (['down_proj', 'kv_b_proj', 'head'].includes(matrix)) {
          const products = input.flatMap((a, i) => input.slice(i).map((b) => a * b));
          add('moments', name, products, weight);
        }
        if (matrix !== 'down_proj') return;
        const fired = input.map((value) => Number(value > 0));
        const up = names.get(`up_proj ${layer}`)!;
        add('firings', up, fired, weight);
        add('sums', name, input, weight);
        const output = Array.from({ length: CONFIG.hiddenSize }, (_, row) =>
          input.reduce((sum, value, i) => sum + value * down[layer]![row * input.length + i]!, 0),
        );
        const outputSquares = output.map((value) => value * value);
        add('output', name, outputSquares, weight);
        // The oracle goes through all tokens of a layer before the next.
        const at = first + (token++ % ids.length);
        const bits = fired.flatMap((bit) =>
          Array.from({ length: SAMPLE_WORDS }, (_, word) => (word === at >> 4 ? bit << (at & 15) : 0)),
        );
        add('fired', up, bits, 1);
      },
    });
    first += ids.length;
    token = 0;
  }
  return expected;
}

describe('calibration', () => {
  it('sums what each matrix is multiplied with, as f64 code straight from the formulas does', async () => {
    const expected = await expectedStatistics();
    const collected = await collect({ batch: 4, threads: 2 });
    assert.equal(collected.tokens, 9 + 14 + 0.5);
    const slots = [...sumSlots(CONFIG), ...momentSlots(MOMENTS)];
    assert.deepEqual(
      slots.map(({ matrix, kind }) => `${matrix} ${kind}`).sort(),
      [...expected.keys()].sort(),
    );
    for (const { matrix, kind, shape, values } of slots) {
      const [wanted, actual] = [expected.get(`${matrix} ${kind}`)!, values(collected)];
      assert.equal(actual.length, wanted.length, matrix);
      assert.equal(
        shape.reduce((a, b) => a * b),
        actual.length,
      );
      if (kind === 'firings' || kind === 'fired') {
        assert.deepEqual([...actual], wanted, matrix);
        continue;
      }
      const largest = Math.max(...wanted.map(Math.abs));
      actual.forEach((value, i) => {
        // Sums of a channel that hardly moves carry the rounding of those that do; products of two channels
        // cancel as well.
        const tolerance = 1e-5 * Math.abs(wanted[i]!) + (kind === 'moments' ? 1e-6 : 1e-7) * largest;
        assert.ok(
          Math.abs(value - wanted[i]!) <= tolerance,
          `${matrix} ${kind}[${i}]: ${value}, expected ${wanted[i]}`,
        );
      });
    }
  });

  it('takes what a premultiplied model is multiplied with, which for o_proj is the context', async () => {
    const premultiplied = absorbMla.run(memoryModel(CONFIG), { form: 'premultiplied' });
    const options = { threads: 1, readings: [[]] };
    const [before, after] = [await collect(options), await collect(options, premultiplied)];
    const [a, b] = [before.layers[1]!.squares, after.layers[1]!.squares];
    const largest = Math.max(...a.context);
    assert.equal(b.attended.length, a.context.length);
    // Both are f32 activations of the same model, rounded at other places.
    assert.ok(b.attended.every((value, i) => Math.abs(value - a.context[i]!) <= 1e-4 * largest));
    const arrays = sumSlots(premultiplied.config);
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
        ['blk.1.ffn_up.weight', 'fired', 141, SAMPLE_WORDS],
        ['blk.1.ffn_down.weight', 'sums', 141],
        ['blk.1.ffn_down.weight', 'output', 50],
      ],
    );
    assert.ok(arrays.every(({ shape, values }) => values(after).length === shape.reduce((x, y) => x * y)));
  });

  it('sums what plm-tiny is multiplied with, as f64 code does', async (t) => {
    const model = await openSource(fixture('plm-tiny'));
    t.after(() => closeModel(model));
    const ids = await encodeTexts(new Tokenizer(model.tokenizer), [fixtureText('calibration')], 120);
    const names = ggufNames(model.config);
    const expected = new Map<string, Float64Array>();
    await oracleLogits(model, ids, {
      watch: (matrix, layer, input) => {
        const name = names.get(`${matrix} ${layer}`)!;
        const sums = expected.get(name) ?? new Float64Array(input.length);
        for (const [i, value] of input.entries()) sums[i]! += value * value;
        expected.set(name, sums);
      },
    });
    await collectStatistics(model, [{ ids, weight: 1 }], { contextLength: 128 }, (sums) => {
      for (const { matrix, kind, values } of sumSlots(model.config)) {
        if (kind !== 'input' && kind !== 'extra-input') continue;
        const wanted = expected.get(matrix)!;
        const largest = wanted.reduce((a, b) => Math.max(a, b));
        values(sums).forEach((value, i) => {
          const tolerance = 1e-5 * wanted[i]! + 1e-6 * largest;
          assert.ok(Math.abs(value - wanted[i]!) <= tolerance, `${matrix}[${i}]: ${value}, ${wanted[i]}`);
        });
      }
    });
  });

  it('does not depend on threads or batches by a bit, and is that of the plain kernels', async (t) => {
    const expected = await collect({ threads: 1 });
    assert.deepEqual(await collect({ threads: 2, batch: 3 }), expected);
    const readings = momentGroups(CONFIG, ['kv_b_proj', 'down_proj', 'lm_head'], 1);
    assert.deepEqual(await collect({ threads: 2, readings }), expected);
    assert.deepEqual(await collect({ threads: 5, batch: 1 }), expected);
    usePlainKernels(t);
    assert.deepEqual(await collect({ threads: 1 }), expected);
  });

  it('goes on from kept sums as if it had never stopped', async () => {
    const expected = await collect();
    for (const stopAfter of [1, 2, 3]) {
      let kept: { chunks: number; buffers: Uint8Array[] } | undefined;
      const keeper = {
        load: async (buffers: readonly Uint8Array[]) => {
          for (const [i, buffer] of (kept?.buffers ?? []).entries()) buffers[i]!.set(buffer);
          return kept?.chunks ?? 0;
        },
        chunkDone: async (buffers: readonly Uint8Array[], chunks: number) => {
          if (kept !== undefined) return;
          if (chunks === stopAfter) {
            kept = { chunks, buffers: buffers.map((buffer) => buffer.slice()) };
            throw new Error('stopped');
          }
        },
      };
      await assert.rejects(collect({ keeper: () => keeper }), /stopped/);
      assert.deepEqual(await collect({ keeper: () => keeper, threads: 1 }), expected);
    }
  });

  it('reads the texts again for second moments that do not fit at once', () => {
    const bytes = (n: number) => 4 * n * (n + 1);
    const sizes = (budget: number) =>
      momentGroups(CONFIG, ['kv_b_proj', 'down_proj'], budget).map((group) =>
        group.map(({ layer, channels }) => `${layer}:${channels}`).join(' '),
      );
    assert.deepEqual(sizes(bytes(19) + bytes(67)), ['0:19 0:67', '1:19', '1:141']);
    assert.deepEqual(sizes(1), ['0:19', '0:67', '1:19', '1:141']);
    assert.deepEqual(sizes(1e9), ['0:19 0:67 1:19 1:141']);
    assert.deepEqual(momentGroups(CONFIG, [], 1), [[]]);
  });

  it('has six matrices per layer for quantizers, and the head apart', () => {
    const slots = sumSlots(PLM_1_8B);
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
    const cut = (ids: number[]) => cutChunks({ ids, weight: 3 }, 2).map((chunk) => chunk.ids);
    assert.deepEqual(cut([1, 2, 3, 4, 5]), [[1, 2], [3, 4], [5]]);
    assert.deepEqual(cut([]), []);
    assert.equal(cutChunks({ ids: [1], weight: 3 }, 2)[0]!.weight, 3);
    assert.equal(chunkSize(hollowModel(PLM_1_8B)), 512);
    assert.equal(chunkSize(hollowModel({ ...SMALL_PLM, maxPositionEmbeddings: 64 })), 64);
  });
});
