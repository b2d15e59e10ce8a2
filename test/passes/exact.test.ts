import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openHfFolder } from '../../formats/hf/import.ts';
import type { PlmConfig } from '../../src/core/config.ts';
import { closeModel, type Model } from '../../src/core/model.ts';
import { plmTensors } from '../../src/core/names.ts';
import { rowRanges } from '../../src/core/tensor.ts';
import { PASSES } from '../../src/passes/index.ts';
import { parsePassRequest, runPass, runPasses } from '../../src/passes/run.ts';
import { SMALL_PLM } from '../support/builders/hollow-model.ts';
import { memoryModel, memoryTensor, tensorValues, withTensors } from '../support/builders/memory-model.ts';
import { uniform } from '../support/builders/samples.ts';
import { madeUpStatistics } from '../support/builders/statistics.ts';
import { logitsOf } from '../support/oracles/logits.ts';
import { fixture } from '../support/paths.ts';
import { pressFailure } from '../support/press-failure.ts';

/** Passes that keep what a model computes may move logits by so much of the largest: roundings of f32. */
const TOLERANCE = 1e-4;
const JOIN = 'join-kv-b';
/** Checkpoints have kv_b_proj as one matrix: there is nothing to join. */
const NAMES = PASSES.filter(({ inexact, name }) => !inexact && name !== JOIN).map(({ name }) => name);
const INDICES = NAMES.map((_, index) => index);
const PREMULTIPLY = 'absorb-mla:form=premultiplied';
/** What works on kv_b_proj must come before it is absorbed. */
const OTHERS = NAMES.filter((name) => name !== 'absorb-mla');
/** What may come after that as well. */
const AFTER = OTHERS.filter((name) => !['fold-norms', 'rotate-latent', 'scale-inputs'].includes(name));

/** Passes that measure weights, not only statistics, when they run. */
const MEASURING: readonly string[] = ['prune-ffn', 'dedupe-tensors'];

/** Logits of the first `tokens` tokens of the vocabulary. */
async function logits(model: Model, ids: readonly number[], tokens: number): Promise<Float32Array[]> {
  return (await logitsOf(model, ids)).map((row) => row.subarray(0, tokens));
}

/** Asserts that the passes, one after the other, leave the logits of all tokens as they are. */
async function assertKeeps(model: Model, passes: readonly string[], ids: readonly number[]): Promise<void> {
  const tokens = model.tokenizer.tokens.length;
  const before = await logits(model, ids, tokens);
  const known = { ...model, statistics: madeUpStatistics(model.config) };
  const after = await logits(await runPasses(known, passes.map(parsePassRequest)), ids, tokens);
  const largest = Math.max(...before.flatMap((row) => row.reduce((max, v) => Math.max(max, Math.abs(v)), 0)));
  for (const [position, row] of before.entries()) {
    const error = row.reduce((max, v, id) => Math.max(max, Math.abs(v - after[position]![id]!)), 0);
    assert.ok(error <= TOLERANCE * largest, `${passes}: position ${position}: ${error} of ${largest}`);
  }
}

describe('plm-tiny computes the same after', () => {
  const ids = Array.from({ length: 32 }, (_, i) => (i * 61 + 5) % 2000);
  const pairs = NAMES.flatMap((first, i) => NAMES.slice(i + 1).map((second) => [first, second]));
  const orders = [NAMES, [...OTHERS.toReversed(), 'absorb-mla'], [...OTHERS, PREMULTIPLY]];
  const premultiplied = [[PREMULTIPLY], ...OTHERS.map((name) => [name, PREMULTIPLY])];
  const joined = ['absorb-mla', JOIN, 'fold-norms', 'rotate-latent', 'scale-inputs', 'absorb-mla'];
  const runs = [
    ...NAMES.map((name) => [name]),
    ...[...pairs, ...orders, ...premultiplied, joined, ['scale-ffn:alpha=1']],
  ];
  for (const passes of runs) {
    it(passes.join(', '), async (t) => {
      const model = await openHfFolder(fixture('plm-tiny'));
      t.after(() => closeModel(model));
      await assertKeeps(model, passes, ids);
    });
  }
});

describe('dedupe-tensors', () => {
  const request = parsePassRequest('dedupe-tensors');
  const untied = memoryModel({ ...SMALL_PLM, vocabSize: 300, tieWordEmbeddings: false });
  const renamed = (from: string, name: string) => ({ ...untied.tensors.get(from)!, name });

  it('lets two matrices share a place', async () => {
    const [first, second] = [0, 1].map((layer) => `model.layers.${layer}.mlp.up_proj.weight`);
    const model = withTensors(untied, renamed(first!, second!));
    const result = await runPass(model, request);
    assert.deepEqual(
      result.changes?.map(({ subject, to }) => [subject, to]),
      [[second, `the bytes of ${first}`]],
    );
    assert.deepEqual(result.tensors.get(second!)!.origin, result.tensors.get(first!)!.origin);
    await assertKeeps(model, ['dedupe-tensors'], [1, 250, 3]);
  });

  it('ties a head that is the embedding', async () => {
    const model = withTensors(untied, renamed('model.embed_tokens.weight', 'lm_head.weight'));
    const { config, tensors } = await runPass(model, request);
    assert.deepEqual([config.tieWordEmbeddings, tensors.has('lm_head.weight')], [true, false]);
    await assertKeeps(model, ['dedupe-tensors'], [1, 250, 3]);
  });
});

describe('random geometries compute the same after passes drawn by lot', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const next = uniform(seed);
    const pick = (values: readonly number[]) => values[Math.floor(next() * values.length)]!;
    const config: PlmConfig = {
      ...SMALL_PLM,
      vocabSize: 300,
      hiddenSize: pick([24, 40, 64]),
      numHiddenLayers: 2,
      intermediateSizes: [pick([16, 56]), pick([32, 48])],
      numAttentionHeads: pick([1, 3, 5]),
      kvLoraRank: pick([12, 16, 24, 33]),
      qLoraRank: next() < 0.3 ? 20 : undefined,
      qkNopeHeadDim: pick([4, 6, 10]),
      qkRopeHeadDim: pick([2, 4, 8]),
      vHeadDim: pick([3, 8, 12]),
      ropeInterleave: next() < 0.5,
      tieWordEmbeddings: next() < 0.7,
      maxPositionEmbeddings: 32,
    };
    const passes = [pick(INDICES), pick(INDICES)].sort().map((i) => NAMES[i]!);
    const [before, after] = [OTHERS[seed % OTHERS.length]!, AFTER[seed % AFTER.length]!];
    for (const drawn of [passes, [before, PREMULTIPLY, after]]) {
      it(`seed ${seed}: ${drawn}`, () =>
        assertKeeps(memoryModel(config, { seed }), drawn, [1, 250, 3, 77, 5, 100, 7]));
    }
  }
});

describe('a pass', () => {
  const config = { ...SMALL_PLM, vocabSize: 300 };
  const model = { ...memoryModel(config), statistics: madeUpStatistics(config) };

  for (const text of [...NAMES, 'prune-ffn', PREMULTIPLY]) {
    const request = parsePassRequest(text);
    const { name } = request;
    const reads = MEASURING.includes(name) ? 'gives' : 'reads nothing when it runs, and gives';
    it(`${text} ${reads} the same rows in any ranges`, async () => {
      const closed = new Map(
        [...model.tensors].map(([key, tensor]) => [key, { ...tensor, readRows: () => assert.fail('read') }]),
      );
      const pass = PASSES.find((other) => other.name === name)!;
      // Where there are statistics to keep true, some read what that takes.
      const { statistics, ...unknown } = model;
      const known = pass.requires?.(unknown, pass.defaults).length ? model : unknown;
      if (!MEASURING.includes(name)) await runPass({ ...known, tensors: closed }, request);
      const result = await runPass(model, request);
      for (const { name: tensorName } of plmTensors(result.config)) {
        const tensor = result.tensors.get(tensorName)!;
        const whole = await tensorValues(tensor);
        const columns = tensor.shape.at(-1)!;
        for (const range of rowRanges(tensor, 1)) {
          const bytes = new Uint8Array(4 * columns * range.count);
          if (tensor.scheme !== 'F32') continue;
          await tensor.readRows(range, bytes);
          const values = new Float32Array(bytes.buffer);
          assert.deepEqual(values, whole.slice(range.first * columns, (range.first + range.count) * columns));
        }
      }
    });
  }

  it('is a name with options', () => {
    assert.deepEqual(parsePassRequest('scale-ffn:alpha=0.25'), {
      name: 'scale-ffn',
      options: Object.assign(Object.create(null), { alpha: '0.25' }),
    });
    for (const text of ['', 'A', 'x:', 'x:y', 'x:=1', 'fold-norms:a=1,,']) {
      assert.throws(() => parsePassRequest(text), { failure: 'usage' }, text);
    }
  });

  it('that is unknown, has no such option or cannot run is told', async () => {
    const run = (text: string) => () => runPass(model, parsePassRequest(text));
    await assert.rejects(
      run('no-such'),
      pressFailure('usage', /^unknown pass "no-such", expected dedupe-tensors, /),
    );
    await assert.rejects(run('fold-norms:a=1'), pressFailure('usage', /no option "a", expected none/));
    await assert.rejects(run('scale-ffn:constructor=1'), pressFailure('usage', /no option "constructor"/));
    await assert.rejects(run('scale-ffn:alpha=x'), pressFailure('usage', /alpha must be a number, not "x"/));
    await assert.rejects(
      run('scale-ffn:alpha=2'),
      pressFailure('unsupported', /alpha 2 is not between 0 and 1/),
    );
    await assert.rejects(
      run('rotate-latent:seed=0.5'),
      pressFailure('unsupported', /seed 0.5 is not an integer/),
    );
  });

  it('is held to the shapes of the geometry', async () => {
    const broken = withTensors(model, memoryTensor('model.norm.weight', [8], new Float32Array(8)));
    await assert.rejects(
      runPass(broken, parsePassRequest('absorb-mla')),
      pressFailure(
        'unsupported',
        /^pass absorb-mla: changes the shape of model\.norm\.weight, which the config does not allow$/,
      ),
    );
  });
});
