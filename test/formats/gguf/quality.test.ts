import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { planGguf } from '../../../formats/gguf/export.ts';
import { openHfFolder } from '../../../formats/hf/import.ts';
import type { Imatrix } from '../../../src/core/imatrix.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import type { InputStatistics, Statistics } from '../../../src/core/statistics.ts';
import { roundedModel } from '../../../src/pipeline/allocation/round.ts';
import { convert } from '../../../src/pipeline/convert.ts';
import { planTarget } from '../../../src/pipeline/planning/target.ts';
import type { TargetOptions } from '../../../src/pipeline/planning/target-options.ts';
import { Tokenizer } from '../../../src/tokenizer/tokenizer.ts';
import { compareModels } from '../../../src/verify/compare.ts';
import { compareRows } from '../../../src/verify/metrics.ts';
import { SMALL_PLM } from '../../support/builders/hollow-model.ts';
import { memoryModel } from '../../support/builders/memory-model.ts';
import { correlatedStatistics, fixtureText, statisticsOver } from '../../support/builders/statistics.ts';
import { openInLlama } from '../../support/oracles/llama.ts';
import { fixture } from '../../support/paths.ts';
import { pressFailure } from '../../support/press-failure.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const TOKENS = 1024;

/** Mean KLD of what a GGUF of the recipe would compute, and its size. */
async function measure(model: Model, recipe: string, options: TargetOptions) {
  const { model: prepared, plan } = await planTarget(model, `gguf:${recipe}`, options);
  const rounded = await roundedModel(prepared, plan, { threads: 2 });
  const ids = new Tokenizer(model.tokenizer).encode(fixtureText('eval')).slice(0, TOKENS);
  const { kld } = await compareModels(model, rounded, ids, { threads: 2 });
  return { kld: kld.mean, bytes: plan.files.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** What llama-imatrix would have written. */
async function imatrixOf({ name, sha256, inputs }: Statistics): Promise<Imatrix> {
  const entries = new Map<string, Float32Array>();
  for (const [key, { meanSquares }] of inputs) {
    if (key !== 'token_embd.weight') entries.set(key, await meanSquares());
  }
  return { name, sha256, entries, datasets: ['calibration.txt'], chunks: 26, notes: [] };
}

it('--quality best leaves less of the divergence', async (t) => {
  const model = await openHfFolder(fixture('plm-tiny'));
  t.after(() => closeModel(model));
  const statistics = await statisticsOver(t, model, fixtureText('calibration', 24_000));

  /**
   * Divergence beside that of llama.cpp's own quantization with an imatrix. With all of the calibration text
   * plm-tiny shows 0.39, 0.38 and 0.41; the excerpt is an eighth of it, and shows 0.48, 0.45 and 0.55.
   */
  const RATIOS = { q4_k_m: 0.5, q3_k_m: 0.47, q5_k_m: 0.57 };

  await t.test('than importances do, in no more bytes', async (t) => {
    for (const [recipe, ratio] of Object.entries(RATIOS)) {
      const plain = await measure(model, recipe, { imatrix: await imatrixOf(statistics) });
      const best = await measure(model, recipe, { quality: 'best', statistics });
      t.diagnostic(`${recipe}: ${best.kld.toExponential(3)} beside ${plain.kld.toExponential(3)}`);
      assert.ok(best.bytes <= plain.bytes, `${best.bytes} beside ${plain.bytes}`);
      assert.ok(best.kld <= ratio * plain.kld, `${recipe}: ${best.kld} beside ${plain.kld}`);
    }
  });

  /** As llama.cpp rounds activations too, both diverge by more: 0.56, and 0.58 without descent on codes. */
  await t.test('in llama.cpp itself, 0.57 at most', async (t) => {
    const ids = new Tokenizer(model.tokenizer).encode(fixtureText('eval')).slice(0, 512);
    const rowsOf = async (recipe: string, options: TargetOptions) => {
      const target = await planTarget(model, `gguf:${recipe}`, options);
      const output = temporaryFolder(t);
      await convert({ model, source: 'memory', targets: [target], output, threads: 2 });
      const llama = await openInLlama(path.join(output, target.plan.files[0]!.name));
      const rows = [...(await llama.logits(ids.slice(0, 256))), ...(await llama.logits(ids.slice(256)))];
      await llama.dispose();
      return rows.map((row) => Float32Array.from(row));
    };
    const source = await rowsOf('f32', {});
    const divergence = (rows: readonly Float32Array[]) =>
      rows.reduce((sum, row, i) => sum + compareRows(source[i]!, row, undefined).kld, 0) / rows.length;
    const plain = divergence(await rowsOf('q4_k_m', { imatrix: await imatrixOf(statistics) }));
    const best = divergence(await rowsOf('q4_k_m', { quality: 'best', statistics }));
    t.diagnostic(`${best.toExponential(3)} beside ${plain.toExponential(3)}`);
    assert.ok(best <= 0.57 * plain, `${best} beside ${plain}`);
  });
});

describe('--quality best', () => {
  it('does no harm where ten tokens are all that is known', async (t) => {
    const model = await openHfFolder(fixture('plm-tiny'));
    t.after(() => closeModel(model));
    const statistics = await statisticsOver(t, model, fixtureText('calibration', 30));
    assert.ok(statistics.tokens <= 12);
    const plain = await measure(model, 'q4_k_m', {});
    const best = await measure(model, 'q4_k_m', { quality: 'best', statistics });
    t.diagnostic(`${best.kld.toExponential(3)} beside ${plain.kld.toExponential(3)}`);
    assert.ok(best.kld <= plain.kld, `${best.kld} beside ${plain.kld}`);
  });

  it('asks for the second moments that are missing, of the embedding by the name of the head', async (t) => {
    const model = await openHfFolder(fixture('plm-tiny'));
    t.after(() => closeModel(model));
    const statistics = await statisticsOver(t, model, fixtureText('calibration', 300));
    const without = (name: string) => {
      const { moments: _, ...known } = statistics.inputs.get(name)!;
      return { ...statistics, inputs: new Map([...statistics.inputs, [name, known]]) };
    };
    const planned = (known: Statistics | undefined) => () =>
      planGguf({ ...model, ...(known && { statistics: known }) }, { recipe: 'q4_k_m', quality: 'best' });
    assert.throws(planned(without('token_embd.weight')), /second moments of the inputs of embed_tokens/);
    assert.throws(planned(without('token_embd.weight')), /--second-moments lm_head/);
    assert.throws(planned(without('blk.1.attn_q.weight')), /--second-moments q_proj/);
    assert.throws(planned(undefined), /second moments/);
    assert.doesNotThrow(planned(statistics));
  });

  it('refuses statistics of another model', () => {
    const model = memoryModel(SMALL_PLM);
    const statistics = correlatedStatistics(SMALL_PLM);
    const name = 'blk.1.attn_q.weight';
    const planned = (changed: Partial<Statistics>) => () =>
      planGguf(
        { ...model, statistics: { ...statistics, ...changed } },
        { recipe: 'q4_k_m', quality: 'best' },
      );
    const refusal = pressFailure(
      'invalid-input',
      /^made-up: entry "blk\.1\.attn_q\.weight": channels, got 9, expected 256, one per column$/,
    );
    const { inputs } = statistics;
    const known = inputs.get(name)!;
    const changed = (other: Partial<InputStatistics>) =>
      planned({ inputs: new Map([...inputs, [name, { ...known, ...other }]]) });
    assert.throws(changed({ channels: 9 }), refusal);
    assert.throws(changed({ moments: { ...known.moments!, size: 9 } }), refusal);
  });
});
