import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { kvCacheBytesPerToken, type PlmConfig } from '../../src/core/config.ts';
import type { Model } from '../../src/core/model.ts';
import { parameterCount, plmTensors } from '../../src/core/names.ts';
import { elementCount, rowBytes, rowRanges, type Tensor } from '../../src/core/tensor.ts';
import { absorbMla } from '../../src/passes/absorb-mla.ts';
import { joinKvB } from '../../src/passes/join-kv-b.ts';
import { parsePassRequest, runPass } from '../../src/passes/run.ts';
import { verify } from '../../src/pipeline/verify.ts';
import { hollowModel, PLM_1_8B, SMALL_PLM } from '../support/builders/hollow-model.ts';
import { memoryModel, storedBytes, tensorValues, withTensors } from '../support/builders/memory-model.ts';
import { logitsOf } from '../support/oracles/logits.ts';
import { pressFailure } from '../support/press-failure.ts';

const CONFIG: PlmConfig = {
  ...SMALL_PLM,
  hiddenSize: 64,
  intermediateSizes: [96, 96],
  numAttentionHeads: 3,
  kvLoraRank: 32,
  qkNopeHeadDim: 6,
  vHeadDim: 5,
  maxPositionEmbeddings: 64,
};

const KV_B = 'model.layers.1.self_attn.kv_b_proj.weight';
const K_B = 'model.layers.1.self_attn.k_b_proj.weight';
const V_B = 'model.layers.1.self_attn.v_b_proj.weight';

function tensor(model: Model, name: string): Tensor {
  return model.tensors.get(name)!;
}

/** The tensor's bytes in ranges of `budget` bytes. */
async function inRanges(source: Tensor, budget: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (const range of rowRanges(source, budget)) {
    const into = new Uint8Array(range.count * rowBytes(source));
    await source.readRows(range, into);
    parts.push(into);
  }
  return Buffer.concat(parts);
}

const logits = (model: Model, attention: 'expanded' | 'latent') =>
  logitsOf(model, [7, 499, 0, 31, 31, 150, 8, 42], { attention });

describe('absorb-mla', () => {
  it('gives k_b[h][c][i] = kv_b[h, i, c] and v_b[h][j][c] = kv_b[h, nope + j, c]', async () => {
    const model = memoryModel(CONFIG);
    const split = absorbMla.run(model, { form: 'split' });
    const [kvB, kB, vB] = [
      await tensorValues(tensor(model, KV_B)),
      await tensorValues(tensor(split, K_B)),
      await tensorValues(tensor(split, V_B)),
    ];
    const { numAttentionHeads: heads, kvLoraRank: rank, qkNopeHeadDim: nope, vHeadDim: v } = CONFIG;
    for (let h = 0; h < heads; h++) {
      for (let c = 0; c < rank; c++) {
        const at = (row: number) => kvB[(h * (nope + v) + row) * rank + c];
        for (let i = 0; i < nope; i++) assert.equal(kB[(h * rank + c) * nope + i], at(i));
        for (let j = 0; j < v; j++) assert.equal(vB[(h * v + j) * rank + c], at(nope + j));
      }
    }
  });

  it('keeps the order of plmTensors and the number of parameters, and says what it did', () => {
    const model = memoryModel(CONFIG);
    const split = absorbMla.run(model, { form: 'split' });
    assert.deepEqual(
      [...split.tensors].map(([name, { shape }]) => [name, shape]),
      plmTensors(split.config).map(({ name, shape }) => [name, shape]),
    );
    const count = ({ tensors }: Model) =>
      [...tensors.values()].reduce((sum, tensor) => sum + elementCount(tensor), 0);
    assert.equal(count(split), count(model));
    assert.deepEqual(
      split.changes.map(({ pass, subject }) => [pass, subject]),
      [
        ['absorb-mla', 'model.layers.0.self_attn.kv_b_proj.weight'],
        ['absorb-mla', KV_B],
        ['absorb-mla', 'config'],
      ],
    );
    assert.equal(absorbMla.run(split, { form: 'split' }), split);
  });

  it('keeps the scheme of floats, and of v_b in blocks, but decodes k_b', () => {
    const schemes = (scheme: 'BF16' | 'F16' | 'Q8_0') => {
      const split = absorbMla.run(memoryModel(CONFIG, { scheme }), { form: 'split' });
      return [K_B, V_B].map((name) => tensor(split, name).scheme);
    };
    assert.deepEqual(schemes('BF16'), ['BF16', 'BF16']);
    assert.deepEqual(schemes('F16'), ['F16', 'F16']);
    assert.deepEqual(schemes('Q8_0'), ['F32', 'Q8_0']);
  });

  for (const scheme of ['BF16', 'Q8_0'] as const) {
    it(`reads the same bytes of ${scheme} in ranges of any size`, async () => {
      const split = absorbMla.run(memoryModel(CONFIG, { scheme }), { form: 'split' });
      for (const name of [K_B, V_B]) {
        const whole = await storedBytes(tensor(split, name));
        for (const budget of [1, 1500, 1 << 20]) {
          assert.deepEqual(await inRanges(tensor(split, name), budget), Buffer.from(whole));
        }
      }
    });
  }

  for (const attention of ['expanded', 'latent'] as const) {
    it(`leaves the logits of ${attention} attention what they were, up to 1e-4 of the largest`, async () => {
      const model = memoryModel(CONFIG);
      const [a, b] = [
        await logits(model, attention),
        await logits(absorbMla.run(model, { form: 'split' }), attention),
      ];
      const largest = Math.max(...a.flatMap((row) => Array.from(row, Math.abs)));
      for (const [t, row] of a.entries()) {
        for (const [id, value] of row.entries()) {
          assert.ok(Math.abs(value - b[t]![id]!) <= 1e-4 * largest, `position ${t}, token ${id}`);
        }
      }
    });
  }
});

describe('join-kv-b', () => {
  const split = (model: Model) => absorbMla.run(model, { form: 'split' });

  for (const scheme of ['F32', 'F16', 'BF16'] as const) {
    it(`gives the bytes of kv_b_proj in ${scheme} again, in ranges of any size`, async () => {
      const model = memoryModel(CONFIG, { scheme });
      const joined = joinKvB.run(split(model));
      assert.deepEqual(joined.config, CONFIG);
      assert.deepEqual([...joined.tensors.keys()], [...model.tensors.keys()]);
      const { roundedIn, ...made } = tensor(joined, KV_B);
      assert.deepEqual([made.scheme, made.shape, roundedIn], [scheme, tensor(model, KV_B).shape, undefined]);
      for (const budget of [1, 3000, 1 << 20]) {
        assert.deepEqual(await inRanges(made, budget), Buffer.from(await storedBytes(tensor(model, KV_B))));
      }
    });
  }

  it('decodes parts in blocks, which have been rounded, and parts of two schemes', async () => {
    const model = memoryModel(CONFIG, { scheme: 'Q8_0' });
    const joined = tensor(joinKvB.run(split(model)), KV_B);
    assert.deepEqual([joined.scheme, joined.roundedIn], ['F32', 'Q8_0']);
    assert.deepEqual(await tensorValues(joined), await tensorValues(tensor(model, KV_B)));
    const [f16, bf16] = [memoryModel(CONFIG, { scheme: 'F16' }), memoryModel(CONFIG, { scheme: 'BF16' })];
    const mixed = withTensors(split(f16), tensor(split(bf16), V_B));
    const both = tensor(joinKvB.run(mixed), KV_B);
    assert.deepEqual([both.scheme, both.roundedIn], ['F32', undefined]);
    const [head, nope] = [CONFIG.qkNopeHeadDim + CONFIG.vHeadDim, CONFIG.qkNopeHeadDim];
    const [a, b] = [await tensorValues(tensor(f16, KV_B)), await tensorValues(tensor(bf16, KV_B))];
    const expected = a.map((value, i) => (Math.floor(i / CONFIG.kvLoraRank) % head < nope ? value : b[i]!));
    assert.deepEqual(await tensorValues(both), expected);
  });

  it('leaves models with kv_b_proj as they are, and says what it did to others', () => {
    const model = memoryModel(CONFIG);
    assert.equal(joinKvB.run(model), model);
    const { changes } = joinKvB.run(split(model));
    assert.deepEqual(
      changes.slice(3).map(({ pass, subject, from }) => [pass, subject, from]),
      ['model.layers.0.self_attn.kv_b_proj.weight', KV_B, 'config'].map((subject) => [
        ...['join-kv-b', subject, 'k_b_proj and v_b_proj'],
      ]),
    );
  });

  it('is what verify does to a source in parts', async () => {
    const model = memoryModel(CONFIG);
    const { passed, tensors } = await verify(split(model), model, { threads: 1, maxTokens: 64 });
    assert.ok(passed);
    assert.ok(tensors.some(({ name }) => name === KV_B));
    assert.ok(tensors.every(({ maxAbsError }) => maxAbsError === 0));
  });
});

describe('absorb-mla:form=premultiplied', () => {
  const O = 'model.layers.1.self_attn.o_proj.weight';
  const premultiply = (model: Model) => absorbMla.run(model, { form: 'premultiplied' });
  const { numAttentionHeads: heads, kvLoraRank: rank, vHeadDim: v } = CONFIG;
  const { qkNopeHeadDim: nope, qkRopeHeadDim: rope, hiddenSize } = CONFIG;

  for (const [config, role, columns] of [
    [CONFIG, 'q_proj', hiddenSize],
    [{ ...CONFIG, qLoraRank: 20 }, 'q_b_proj', 20],
  ] as const) {
    it(`gives W_UKᵀ W of the nope rows of ${role}, summed in f64, and its rope rows as they are`, async () => {
      const model = memoryModel(config);
      const name = `model.layers.1.self_attn.${role}.weight`;
      const [q, kvB] = [await tensorValues(tensor(model, name)), await tensorValues(tensor(model, KV_B))];
      const made = tensor(premultiply(model), name);
      assert.deepEqual([made.scheme, made.shape], ['F32', [heads * (rank + rope), columns]]);
      const values = await tensorValues(made);
      for (let h = 0; h < heads; h++) {
        for (let column = 0; column < columns; column++) {
          const source = (row: number) => q[(h * (nope + rope) + row) * columns + column]!;
          const got = (row: number) => values[(h * (rank + rope) + row) * columns + column];
          for (let c = 0; c < rank; c++) {
            let sum = 0;
            for (let i = 0; i < nope; i++) sum += kvB[(h * (nope + v) + i) * rank + c]! * source(i);
            assert.equal(got(c), Math.fround(sum));
          }
          for (let i = 0; i < rope; i++) assert.equal(got(rank + i), source(nope + i));
        }
      }
    });
  }

  it('gives W W_UV of the columns of o_proj, summed in f64', async () => {
    const model = memoryModel(CONFIG);
    const [o, kvB] = [await tensorValues(tensor(model, O)), await tensorValues(tensor(model, KV_B))];
    const made = tensor(premultiply(model), O);
    assert.deepEqual([made.scheme, made.shape], ['F32', [hiddenSize, heads * rank]]);
    const values = await tensorValues(made);
    for (let row = 0; row < hiddenSize; row++) {
      for (let h = 0; h < heads; h++) {
        for (let c = 0; c < rank; c++) {
          let sum = 0;
          for (let j = 0; j < v; j++) {
            sum += o[(row * heads + h) * v + j]! * kvB[(h * (nope + v) + nope + j) * rank + c]!;
          }
          assert.equal(values[(row * heads + h) * rank + c], Math.fround(sum));
        }
      }
    }
  });

  for (const scheme of ['BF16', 'Q8_0'] as const) {
    it(`reads the same bytes of ${scheme} in ranges of any size`, async () => {
      const made = premultiply(memoryModel({ ...CONFIG, vHeadDim: 32 }, { scheme }));
      for (const name of [O, O.replace('o_proj', 'q_proj')]) {
        const whole = await storedBytes(tensor(made, name));
        for (const budget of [1, 15_000, 1 << 20]) {
          assert.deepEqual(await inRanges(tensor(made, name), budget), Buffer.from(whole));
        }
      }
    });
  }

  it('has tensors in the order of plmTensors, and says what it did', () => {
    const made = premultiply(memoryModel(CONFIG));
    assert.deepEqual(
      [...made.tensors.keys()],
      plmTensors(made.config).map(({ name }) => name),
    );
    assert.deepEqual(
      made.changes.slice(3).map(({ subject, to }) => [subject, to]),
      [
        [KV_B, 'factors of q and o_proj'],
        [O.replace('o_proj', 'q_proj'), 'W_UKᵀ W of every head'],
        [O, 'W W_UV of every head'],
        ['config', 'factors of q and o_proj'],
      ],
    );
    assert.equal(premultiply(made), made);
  });

  it('is told from other forms', async () => {
    const run = (model: Model, form: string) => () =>
      runPass(model, parsePassRequest(`absorb-mla:form=${form}`));
    const model = memoryModel(CONFIG);
    const [split, made] = [absorbMla.run(model, { form: 'split' }), premultiply(model)];
    const refused = (message: RegExp) => pressFailure('unsupported', message);
    await assert.rejects(run(model, 'joint'), refused(/form "joint" is none of split, premultiplied$/));
    await assert.rejects(run(split, 'premultiplied'), refused(/kv_b_proj is split already$/));
    const folded = () => runPass(split, parsePassRequest('fold-norms'));
    await assert.rejects(folded, refused(/the model has no kv_b_proj: run join-kv-b first$/));
    const joined = () => runPass(made, parsePassRequest('join-kv-b'));
    await assert.rejects(joined, refused(/kv_b_proj has been multiplied into q and o_proj$/));
    await assert.rejects(run(made, 'split'), refused(/kv_b_proj is premultiplied already$/));
    for (const pass of ['fold-norms', 'rotate-latent']) {
      const later = () => runPass(made, parsePassRequest(pass));
      await assert.rejects(later, refused(/the model has no kv_b_proj: run it before absorb-mla$/));
    }
  });

  it('runs with latent attention only', async () => {
    await assert.rejects(
      logits(premultiply(memoryModel(CONFIG)), 'expanded'),
      pressFailure(
        'unsupported',
        /^attention: a premultiplied model runs in the latent form only, got "expanded"/,
      ),
    );
  });

  it('verifies against its source, whose weights take the same form', async () => {
    const model = memoryModel(CONFIG);
    const { passed, tensors } = await verify(model, premultiply(model), { threads: 1, maxTokens: 64 });
    assert.ok(passed);
    assert.ok(tensors.every(({ maxAbsError }) => maxAbsError === 0));
  });
});

describe('what absorb-mla costs PLM-1.8B', () => {
  const model = hollowModel(PLM_1_8B, { notes: ['of the source'] });

  it('split: no parameter, and a cache of a ninth', () => {
    const { config, notes } = absorbMla.run(model, { form: 'split' });
    assert.equal(parameterCount(config), 1_825_458_176);
    assert.deepEqual(
      [kvCacheBytesPerToken(config, 'latent'), kvCacheBytesPerToken(config, 'expanded')],
      [36_864, 327_680],
    );
    assert.deepEqual(notes, ['of the source']);
  });

  it('premultiplied: 738 million parameters, which it tells', () => {
    const { config, tensors, notes } = absorbMla.run(model, { form: 'premultiplied' });
    assert.equal(parameterCount(config) - parameterCount(model.config), 738_197_504);
    assert.equal(
      [...tensors.values()].reduce((sum, made) => sum + elementCount(made), 0),
      2_563_655_680,
    );
    assert.equal(kvCacheBytesPerToken(config, 'latent'), 36_864);
    assert.deepEqual(notes, [
      'of the source',
      'absorb-mla:form=premultiplied adds 738,197,504 parameters (1,825,458,176 to 2,563,655,680)',
    ]);
  });

  it('premultiplied: nothing to tell where the latent is as narrow as a head', () => {
    const narrow = hollowModel({ ...CONFIG, kvLoraRank: 5 });
    assert.deepEqual(absorbMla.run(narrow, { form: 'premultiplied' }).notes, []);
  });
});
