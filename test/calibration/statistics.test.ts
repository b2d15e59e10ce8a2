import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Chunk, chunkSize, cutChunks } from '../../calibration/chunks.ts';
import { type MomentRole, momentSites } from '../../calibration/moments.ts';
import { type StatisticSource, statisticSources } from '../../calibration/statistics.ts';
import { openStatisticsRuntime, type ReadingOptions } from '../../calibration/statistics-runtime.ts';
import type { PlmConfig } from '../../src/core/config.ts';
import { closeModel } from '../../src/core/model.ts';
import { layerTensorName, plmTensors } from '../../src/core/names.ts';
import { SAMPLE_WORDS } from '../../src/core/statistics.ts';
import { absorbMla } from '../../src/passes/absorb-mla.ts';
import { openSource } from '../../src/pipeline/sources/open.ts';
import { encodeTexts } from '../../src/pipeline/sources/read-text.ts';
import { ResidentStates } from '../../src/runtime/hidden-states.ts';
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

const MOMENTS: readonly MomentRole[] = ['kv_b_proj', 'down_proj', 'lm_head'];

interface Collecting extends ReadingOptions {
  readonly roles?: readonly MomentRole[];
  readonly chunks?: readonly Chunk[];
}

/** Copies of all that is gathered, by matrix and kind. */
async function collect(
  { roles = MOMENTS, chunks = CHUNKS, ...options }: Collecting = {},
  model = memoryModel(CONFIG),
): Promise<Map<string, number[]>> {
  const request = { chunks, moments: momentSites(roles) };
  const runtime = await openStatisticsRuntime(model, request, options);
  const collected = new Map<string, number[]>();
  const keep = ({ matrix, kind }: StatisticSource, values: ArrayLike<number>) =>
    collected.set(`${matrix} ${kind}`, Array.from(values));
  const sources = statisticSources(model.config, roles);
  try {
    for (let layer = options.from?.layers ?? 0; layer < model.config.numHiddenLayers; layer++) {
      const sums = await runtime.nextLayer();
      for (const source of sources) if (source.layer === layer) keep(source, source.values(sums));
    }
    const head = await runtime.head();
    for (const source of sources) if (source.layer === undefined) keep(source, source.values(head));
  } finally {
    await runtime.close();
  }
  return collected;
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
    const collected = await collect({ threads: 2 });
    assert.deepEqual([...collected.keys()].sort(), [...expected.keys()].sort());
    for (const { matrix, kind, shape } of statisticSources(CONFIG, MOMENTS)) {
      const [wanted, actual] = [expected.get(`${matrix} ${kind}`)!, collected.get(`${matrix} ${kind}`)!];
      assert.equal(actual.length, wanted.length, matrix);
      assert.equal(
        shape.reduce((a, b) => a * b),
        actual.length,
      );
      if (kind === 'firings' || kind === 'fired') {
        assert.deepEqual(actual, wanted, matrix);
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
    const options = { threads: 1, roles: [] };
    const [before, after] = [await collect(options), await collect(options, premultiplied)];
    const context = before.get('blk.1.attn_v_b.weight extra-input')!;
    const attended = after.get('blk.1.attn_output.weight input')!;
    const largest = Math.max(...context);
    assert.equal(attended.length, context.length);
    // Both are f32 activations of the same model, rounded at other places.
    assert.ok(attended.every((value, i) => Math.abs(value - context[i]!) <= 1e-4 * largest));
    const arrays = statisticSources(premultiplied.config, []);
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
    for (const { matrix, kind, shape } of arrays) {
      assert.equal(
        after.get(`${matrix} ${kind}`)!.length,
        shape.reduce((x, y) => x * y),
      );
    }
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
    const collected = await collect({ chunks: [{ ids, weight: 1 }], roles: [] }, model);
    for (const { matrix, kind } of statisticSources(model.config, [])) {
      if (kind !== 'input' && kind !== 'extra-input') continue;
      const wanted = expected.get(matrix)!;
      const largest = wanted.reduce((a, b) => Math.max(a, b));
      collected.get(`${matrix} ${kind}`)!.forEach((value, i) => {
        const tolerance = 1e-5 * wanted[i]! + 1e-6 * largest;
        assert.ok(Math.abs(value - wanted[i]!) <= tolerance, `${matrix}[${i}]: ${value}, ${wanted[i]}`);
      });
    }
  });

  it('does not depend on threads by a bit, and is that of the plain kernels', async (t) => {
    const expected = await collect({ threads: 1 });
    assert.deepEqual(await collect({ threads: 2 }), expected);
    assert.deepEqual(await collect({ threads: 5 }), expected);
    usePlainKernels(t);
    assert.deepEqual(await collect({ threads: 1 }), expected);
  });

  it('goes on from hidden states as if it had never stopped', async () => {
    const expected = await collect();
    const tokens = CHUNKS.reduce((sum, { ids }) => sum + ids.length, 0);
    const states = new ResidentStates(tokens, CONFIG.hiddenSize);
    const request = { chunks: CHUNKS, moments: momentSites(MOMENTS) };
    const first = await openStatisticsRuntime(memoryModel(CONFIG), request, { from: { states, layers: 0 } });
    await first.nextLayer();
    await first.close();
    const rest = await collect({ from: { states, layers: 1 }, threads: 1 });
    for (const [name, values] of rest) assert.deepEqual(values, expected.get(name), name);
    const of = (layer: number) => [...expected.keys()].filter((name) => name.startsWith(`blk.${layer}.`));
    assert.ok(of(1).every((name) => rest.has(name)));
    assert.ok(of(0).every((name) => !rest.has(name)));
  });

  it('sums up second moments of more tokens than are gathered at once, by weights', async () => {
    const ids = Array.from({ length: 700 }, (_, i) => (31 * i) % 300);
    const cut = (weight: number) => cutChunks({ ids, weight }, 60);
    const roles: readonly MomentRole[] = ['up_proj', 'lm_head'];
    const [once, both] = [
      await collect({ chunks: cut(1), roles }),
      await collect({ chunks: [...cut(2), ...cut(1)], roles }),
    ];
    for (const [name, values] of once) {
      if (!name.endsWith('moments')) continue;
      const largest = Math.max(...values.map(Math.abs));
      both.get(name)!.forEach((value, i) => {
        // Sums are f32 within some hundred tokens, which other neighbours come to.
        assert.ok(Math.abs(value - 3 * values[i]!) <= 1e-5 * largest, `${name}[${i}]`);
      });
    }
  });

  it('has six matrices per layer for quantizers, and the head apart', () => {
    const slots = statisticSources(PLM_1_8B, []);
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
