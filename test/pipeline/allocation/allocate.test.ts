import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Progress } from '../../../src/core/jobs/progress.ts';
import { SchemeAllocator } from '../../../src/pipeline/allocation/allocate.ts';
import { draftBySize } from '../../../src/pipeline/allocation/draft.ts';
import type { Target } from '../../../src/pipeline/planning/planned-target.ts';
import { planTarget } from '../../../src/pipeline/planning/target.ts';
import type { TargetOptions } from '../../../src/pipeline/planning/target-options.ts';
import { SMALL_PLM } from '../../support/builders/hollow-model.ts';
import { memoryModel } from '../../support/builders/memory-model.ts';
import { statisticsOver } from '../../support/builders/statistics.ts';
import { pressFailure } from '../../support/press-failure.ts';

const MODEL = memoryModel(SMALL_PLM);
const TEXT = 'Through the fence, between the curling flower spaces, I could see them hitting. '.repeat(3);
const REQUEST = { threads: 1, texts: [TEXT] };

/** Measuring would begin with a phase. */
const assertUnmeasured: Progress = (event) => assert.notEqual(event.kind, 'phase');

const bytesOf = ({ plan }: Target) => plan.files.reduce((sum, { bytes }) => sum + bytes, 0);

describe('schemes chosen by size', () => {
  it('fit, cost less the more room there is, and leave what was asked for by name', async (t) => {
    const options: TargetOptions = { tensorTypes: [{ pattern: 'blk\\.0\\.attn_q', scheme: 'Q8_0' }] };
    const allocator = await SchemeAllocator.open(MODEL, { recipe: 'q4_k_m', options, ...REQUEST });
    t.after(() => allocator.close());
    const whole = bytesOf(await planTarget(MODEL, 'gguf:q4_k_m'));
    let before = Number.POSITIVE_INFINITY;
    for (const share of [0.7, 0.85, 1, 1.2]) {
      const most = Math.floor(share * whole);
      const { tensors, bytes, predictedKld, measuredKld } = await allocator.allocate(most);
      assert.ok(bytes <= most && bytes > 0.97 * most, `${bytes} of ${most}`);
      assert.ok(measuredKld < before, `${measuredKld} of ${share}, ${before} of less`);
      before = measuredKld;
      // Errors of random weights are small enough to add up.
      const ratio = measuredKld / predictedKld;
      assert.ok(ratio > 0.6 && ratio < 1.6, `measured ${measuredKld}, predicted ${predictedKld}`);
      assert.equal(tensors.find(({ name }) => name === 'blk.0.attn_q.weight')?.scheme, 'Q8_0');
    }
  });

  it('are not measured once the signal says so', async () => {
    const signal = AbortSignal.abort();
    await assert.rejects(SchemeAllocator.open(MODEL, { recipe: 'q4_k_m', options: {}, ...REQUEST, signal }), {
      name: 'AbortError',
    });
  });

  it('never take a byte more than is allowed', async (t) => {
    const allocator = await SchemeAllocator.open(MODEL, { recipe: 'q4_k_m', options: {}, ...REQUEST });
    t.after(() => allocator.close());
    const { bytes: all } = await allocator.allocate(1e9);
    // What is chosen first has room for all but the headers.
    for (const less of [1, 1024]) {
      const { bytes } = await allocator.allocate(all - less);
      assert.ok(bytes <= all - less, `${bytes} of ${all - less}`);
    }
  });

  it('are chosen anew where they were predicted badly, and only where that is better', async (t) => {
    const allocator = await SchemeAllocator.open(MODEL, { recipe: 'q4_k_m', options: {}, ...REQUEST });
    t.after(() => allocator.close());
    const whole = bytesOf(await planTarget(MODEL, 'gguf:q4_k_m'));
    const poor = await allocator.allocate(Math.floor(0.7 * whole));
    assert.equal(await allocator.repair(poor, whole), poor);
    const better = await allocator.repair({ ...poor, predictedKld: 0.5 * poor.measuredKld }, whole);
    assert.ok(better.measuredKld < 0.8 * poor.measuredKld && better.bytes <= whole);
    const best = { ...poor, predictedKld: 1e-10, measuredKld: 1e-9 };
    assert.equal(await allocator.repair(best, whole), best);
  });

  it('cost less than the recipe of the same size, and are recorded', async (t) => {
    const repair = t.mock.method(SchemeAllocator.prototype, 'repair');
    const recipe = await planTarget(MODEL, 'gguf:q4_k_m');
    const chosen = await planTarget(MODEL, 'gguf:q4_k_m', {
      allocation: { ...REQUEST, targetBytes: bytesOf(recipe) },
    });
    assert.ok(bytesOf(chosen) <= bytesOf(recipe));
    assert.equal(repair.mock.callCount(), 1);
    const schemes = chosen.plan.files[0]!.tensors.filter(({ source }) => source.shape.length > 1).map(
      ({ name, scheme }) => `^${name.replaceAll('.', '\\.')}$=${scheme}`,
    );
    assert.deepEqual([...(chosen.options.tensorTypes as string[])].sort(), schemes.sort());
  });

  it('prune the FFN where that is allowed and nothing else fits', async (t) => {
    const statistics = await statisticsOver(t, MODEL, TEXT);
    const smallest: TargetOptions = { tensorTypes: [{ pattern: '', scheme: 'Q2_K' }] };
    const most = bytesOf(await planTarget(MODEL, 'gguf:q4_k_m', smallest)) - 1;
    const allocation = { ...REQUEST, targetBytes: most };
    await assert.rejects(
      planTarget(MODEL, 'gguf:q4_k_m', { statistics, allocation }),
      pressFailure('usage', /is less than the smallest schemes need, expected at least [\d,]+ bytes$/),
    );
    const asItIs = { ...allocation, targetBytes: 1e9, ffnWidths: [500], progress: assertUnmeasured };
    await assert.rejects(
      planTarget(MODEL, 'gguf:q4_k_m', { statistics, allocation: asItIs }),
      pressFailure('usage', /^an FFN width of 500 prunes nothing, expected less than 512, /),
    );
    const pruned = await planTarget(MODEL, 'gguf:q4_k_m', {
      statistics,
      allocation: { ...allocation, ffnWidths: [256] },
    });
    assert.ok(bytesOf(pruned) <= most);
    assert.deepEqual(pruned.passes, ['prune-ffn:width=256']);
    assert.deepEqual(pruned.model.config.intermediateSizes, [256, 256]);
    assert.equal(pruned.allocation!.ffnWidth, 256);
  });

  it('are refused before anything is measured where they cannot end well', async () => {
    const draft = (changes: object) =>
      draftBySize(MODEL, { recipe: 'q4_k_m', options: {} }, { ...REQUEST, targetBytes: 1e9, ...changes });
    await assert.rejects(
      draft({ maxMemory: 1e6 }),
      pressFailure('local-io', /^the memory limit is too small: 1 MB, expected at least \d+ MB$/),
    );
    await assert.rejects(
      draft({ ffnWidths: [256] }),
      pressFailure('unsupported', /^pass prune-ffn: needs statistics/),
    );
    const notes: string[] = [];
    const progress: Progress = (event) => {
      if (event.kind === 'note') notes.push(event.message);
    };
    const { files } = await draft({ progress });
    assert.equal(notes.length, 1);
    assert.match(notes[0]!, /^a size of 1\.00 GB is more than the largest schemes take, \d\.\d+ MB$/);
    await draft({ progress, targetBytes: files[0]!.bytes });
    assert.equal(notes.length, 1, 'the smallest size can be');
  });

  it('count every byte of the header, that of the origin included', async () => {
    const origin = { repository: 'org/plm', revision: 'ab'.repeat(20) };
    const model = { ...MODEL, origin };
    const { files } = await draftBySize(
      model,
      { recipe: 'q4_k_m', options: {} },
      { ...REQUEST, targetBytes: 1e9 },
    );
    const tensorTypes = [{ pattern: '', scheme: 'Q2_K' }] as const;
    assert.equal(files[0]!.bytes, bytesOf(await planTarget(model, 'gguf:q4_k_m', { tensorTypes })));
  });

  it('need a text of two tokens', async () => {
    const allocation = { threads: 1, texts: ['a'], targetBytes: 1e6 };
    await assert.rejects(
      planTarget(MODEL, 'gguf:q4_k_m', { allocation }),
      pressFailure('invalid-input', /tokens of text, got 1/),
    );
    await assert.rejects(
      planTarget(MODEL, 'gguf:q4_k_m', { arch: 'deepseek2', allocation: { ...allocation, texts: [TEXT] } }),
      pressFailure('unsupported', /choice of schemes by size.*deepseek2/),
    );
  });
});
