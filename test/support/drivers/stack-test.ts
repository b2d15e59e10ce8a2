import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { openBundle } from '../../../formats/webgpu/import/open.ts';
import { closeModel } from '../../../src/core/model.ts';
import { convert } from '../../../src/pipeline/convert.ts';
import { planTargets } from '../../../src/pipeline/planning/target.ts';
import { withSource } from '../../../src/pipeline/sources/open.ts';
import { serveBundles } from '../../../src/serve/serve.ts';
import { Tokenizer } from '../../../src/tokenizer/tokenizer.ts';
import { greedy } from '../oracles/greedy.ts';
import { logitsOf } from '../oracles/logits.ts';
import { fixture } from '../paths.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { runWebgpuJob, type WebgpuJob, type WebgpuJobResult } from './webgpu-job.ts';

/** Largest difference of a logit beside the largest: the cache has 11 bits. Measured 4e-4. */
const LIMIT = 1e-3;

/** What such differences can take from a lead: twice the limit, of logits up to 18. Measured 0.014. */
const CLEAR_LEAD = 0.036;

const POSITIONS = 64;
const TOKENS = 32;

const SCHEMES = ['f16', 'q8', 'q4'] as const;

interface Case {
  readonly job: WebgpuJob;
  readonly logits: readonly Float32Array[];
  readonly continuations: readonly (readonly number[])[];
  /** Tokens that the self-test holds. */
  readonly held: number;
}

const EVAL_TEXT = readFileSync(fixture('text', 'eval.txt'), 'utf8');

/** Beginnings of sentences. */
const BEGINNINGS = EVAL_TEXT.split(/(?<=\.)\s+/)
  .map((sentence) => sentence.split(/\s+/).slice(0, 6).join(' '))
  .filter((text) => text.length > 20);

async function caseOf(folder: string, prompts: number): Promise<Case> {
  const bundle = await openBundle(folder);
  try {
    const ids = new Tokenizer(bundle.tokenizer).encode(EVAL_TEXT.slice(0, 1000)).slice(0, POSITIONS);
    const clear: { prompt: string; ids: readonly number[] }[] = [];
    for (const prompt of BEGINNINGS) {
      if (clear.length === prompts) break;
      const answer = await greedy(bundle, { prompt, tokens: TOKENS });
      if (answer.lead > CLEAR_LEAD && answer.ids.length === TOKENS) clear.push({ prompt, ids: answer.ids });
    }
    assert.equal(clear.length, prompts, 'too few prompts are continued without doubt');
    const { selfTest } = bundle.manifest;
    return {
      job: { ids, prompts: clear.map(({ prompt }) => prompt), maxTokens: TOKENS },
      logits: await logitsOf(bundle, ids),
      continuations: clear.map((answer) => answer.ids),
      held: selfTest.likeliest.length - selfTest.close.length,
    };
  } finally {
    await closeModel(bundle);
  }
}

function assertResult({ logits, continuations, selfTest }: WebgpuJobResult, expected: Case): void {
  assert.equal(logits.length, POSITIONS);
  const largest = expected.logits.reduce(
    (most, row) => row.reduce((a, b) => Math.max(a, Math.abs(b)), most),
    0,
  );
  const off = expected.logits.map((row, at) =>
    row.reduce((most, value, id) => Math.max(most, Math.abs(value - logits[at]![id]!)), 0),
  );
  assert.ok(
    Math.max(...off) <= LIMIT * largest,
    `off by ${Math.max(...off)}, the largest logit is ${largest}`,
  );
  assert.deepEqual(continuations, expected.continuations);
  assert.equal(selfTest.tokens, expected.held);
}

/**
 * A served bundle, what it shall compute, and the expression that computes it where there are a global GPU
 * and modules by URL.
 */
export interface ServedBundle {
  readonly url: string;
  readonly job: WebgpuJob;
  readonly expression: string;
}

/**
 * Holds a stack of WebGPU to the runtime: `run` does the job of a bundle of plm-tiny in each scheme, which
 * continues so many `prompts`.
 */
export async function testStack(
  t: TestContext,
  prompts: number,
  run: (t: TestContext, bundle: ServedBundle) => Promise<WebgpuJobResult>,
): Promise<void> {
  const output = temporaryFolder(t);
  const source = fixture('plm-tiny');
  await withSource(source, async (model) => {
    const targets = await planTargets(
      model,
      SCHEMES.map((scheme) => `webgpu:${scheme}`),
    );
    await convert({ model, source, targets, output });
  });
  const server = await serveBundles(output, { host: '127.0.0.1', port: 0 });
  t.after(() => server.close());
  for (const scheme of SCHEMES) {
    const expected = await caseOf(path.join(output, `webgpu-${scheme}`), prompts);
    const url = `${server.url}webgpu-${scheme}/`;
    const { job } = expected;
    const expression = `(async () => {
      const runtime = await import(${JSON.stringify(`${url}runtime.js`)});
      return (${runWebgpuJob})(runtime, ...${JSON.stringify([url, job])});
    })()`;
    await t.test(`webgpu:${scheme}`, async (t) => {
      assertResult(await run(t, { url, job, expression }), expected);
    });
  }
}
