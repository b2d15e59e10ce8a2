import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { openHfFolder } from '../../formats/hf/import.ts';
import { closeModel } from '../../src/core/model.ts';
import { PlmRuntime } from '../../src/runtime/plm-runtime.ts';
import { generate } from '../../src/runtime/sampling/generate.ts';
import { argmax, Sampler } from '../../src/runtime/sampling/sampler.ts';
import { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { fixture } from '../support/paths.ts';
import { pressFailure } from '../support/press-failure.ts';

/** A runtime of `rows` logits that continues every token with the next id. */
class Counting {
  position = 0;
  readonly contextLength: number;
  readonly calls: number[][] = [];
  readonly #rows: number;

  constructor(rows: number, contextLength = 100) {
    this.#rows = rows;
    this.contextLength = contextLength;
  }

  async next(ids: ArrayLike<number>): Promise<Float32Array> {
    this.calls.push(Array.from(ids));
    this.position += ids.length;
    const row = new Float32Array(this.#rows);
    row[ids[ids.length - 1]! + 1] = 10;
    return row;
  }
}

async function run(
  runtime: Parameters<typeof generate>[0],
  prompt: readonly number[],
  options: Partial<Parameters<typeof generate>[2]> = {},
) {
  const sampler = new Sampler({ temperature: 0 });
  const text = generate(runtime, prompt, {
    sampler,
    maxTokens: 5,
    stopTokenIds: [],
    tokenCount: 50,
    ...options,
  });
  const ids: number[] = [];
  for (let step = await text.next(); ; step = await text.next()) {
    if (step.done) return { ids, reason: step.value };
    ids.push(step.value);
  }
}

describe('generate', () => {
  it('sends the prompt once and then token after token', async () => {
    const runtime = new Counting(50);
    assert.deepEqual(await run(runtime, [1, 2, 3]), { ids: [4, 5, 6, 7, 8], reason: 'length' });
    assert.deepEqual(runtime.calls, [[1, 2, 3], [4], [5], [6], [7]]);
  });

  it('ends at any stop token, which it keeps to itself', async () => {
    const stopTokenIds = [40, 6];
    assert.deepEqual(await run(new Counting(50), [3], { stopTokenIds }), { ids: [4, 5], reason: 'stop' });
  });

  it('ends where the context is full', async () => {
    assert.deepEqual(await run(new Counting(50, 4), [1, 2]), { ids: [3, 4, 5], reason: 'context' });
  });

  it('never picks padding rows', async () => {
    const { ids } = await run(new Counting(50), [3], { tokenCount: 5, maxTokens: 3 });
    assert.deepEqual(ids, [4, 0, 1]);
  });

  it('gives nothing if nothing is asked for', async () => {
    const runtime = new Counting(50);
    assert.deepEqual(await run(runtime, [1], { maxTokens: 0 }), { ids: [], reason: 'length' });
    assert.equal(runtime.calls.length, 0);
  });

  it('counts the prompt and its own text as seen', async () => {
    const sampler = new Sampler({ temperature: 0, repetitionPenalty: 1e6 });
    const { ids } = await run(new Counting(4), [1, 2, 3, 0], { sampler, maxTokens: 1, tokenCount: 4 });
    assert.deepEqual(ids, [1], 'all are seen, and the favourite still leads');
  });
});

describe('generate with plm-tiny', async () => {
  const model = await openHfFolder(fixture('plm-tiny'));
  const tokenizer = new Tokenizer(model.tokenizer);
  const prompt = tokenizer.encode('The whale');
  const options = {
    maxTokens: 24,
    stopTokenIds: model.tokenizer.stopTokenIds,
    tokenCount: model.tokenizer.tokens.length,
  };
  const runtime = await PlmRuntime.open(model, { contextLength: 64, threads: 1 });
  after(async () => {
    await runtime.close();
    await closeModel(model);
  });
  const text = async (sampler: Sampler) => {
    runtime.reset();
    return (await run(runtime, prompt, { ...options, sampler })).ids;
  };

  it('greedy text is the argmax after each of its tokens', async () => {
    const ids = await text(new Sampler({ temperature: 0 }));
    assert.equal(ids.length, 24);
    runtime.reset();
    const favourites: number[] = [];
    for await (const row of runtime.logits([...prompt, ...ids])) favourites.push(argmax(row));
    assert.deepEqual(favourites.slice(prompt.length - 1, -1), ids);
  });

  it('a seed gives the same text', async () => {
    const sampled = (seed: number) => text(new Sampler({ temperature: 0.7, topP: 0.9, seed }));
    assert.deepEqual(await sampled(1), await sampled(1));
    assert.notDeepEqual(await sampled(1), await sampled(2));
  });

  it('refuses a prompt beyond the context, and an empty one', async () => {
    runtime.reset();
    const long = Array<number>(65).fill(1);
    await assert.rejects(run(runtime, long), pressFailure('invalid-input', /positions/));
    await assert.rejects(run(runtime, []), pressFailure('invalid-input', /no tokens/));
  });
});
