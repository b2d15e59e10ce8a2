import assert from 'node:assert/strict';
import path from 'node:path';
import { it } from 'node:test';
import { PlmRuntime } from '../../src/runtime/plm-runtime.ts';
import { serveBundles } from '../../src/serve/serve.ts';
import type { ModelStats } from '../../src/webgpu/model.ts';
import { PLM_1_8B, SMALL_TOKENIZER } from '../support/builders/hollow-model.ts';
import { noiseModel } from '../support/builders/noise-model.ts';
import { openUntilEnd, writeBundle } from '../support/builders/webgpu-bundle.ts';
import { launchBrowser, NO_BROWSER } from '../support/drivers/browser.ts';
import { NO_WORKGROUP_ZEROS } from '../support/fakes/workgroup-zeros.ts';

/** Largest difference of a logit beside the largest: the cache has 11 bits. */
const LIMIT = 1e-3;
const LAYERS = 2;
/** The first is the prompt that is continued, a token of one byte. */
const IDS = [SMALL_TOKENIZER.tokens.indexOf('A'), 151_935, 70_000, 99];
const BINDING_BYTES = 134_217_728;

interface Results {
  /** After each of `IDS`. */
  readonly logits: readonly ArrayLike<number>[];
  /** After the first alone. */
  readonly first: ArrayLike<number>;
  /** What follows the first. */
  readonly generated: readonly number[];
}

it('layers of the size of PLM-1.8B in Chromium', { skip: NO_BROWSER }, async (t) => {
  const config = {
    ...PLM_1_8B,
    numHiddenLayers: LAYERS,
    intermediateSizes: PLM_1_8B.intermediateSizes.slice(0, LAYERS),
  };
  const folder = await writeBundle(t, noiseModel(config), 'q4', { threads: 2 });
  const expected = await expectedOf(await PlmRuntime.open(await openUntilEnd(t, folder), RUNTIME_OPTIONS));

  const server = await serveBundles(path.dirname(folder), { host: '127.0.0.1', port: 0 });
  t.after(() => server.close());
  const page = await (await launchBrowser(t, [`--${NO_WORKGROUP_ZEROS}`])).newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    // As which Chromium shows what WebGPU refuses.
    if (message.type() === 'warning') complaints.push(message.text());
  });
  const url = `${server.url}${path.basename(folder)}/`;
  // A document of the same origin that runs nothing itself.
  await page.goto(`${url}manifest.json`);
  const call = `import('${url}runtime.js').then((runtime) =>
    (${runInPage.toString()})(runtime, '${url}', ${JSON.stringify(IDS)}))`;
  const result: Results & { readonly stats: ModelStats } = JSON.parse(await page.evaluate(call));

  const rows = [...expected.logits, expected.first];
  const largest = Math.max(...rows.map((row) => Array.from(row).reduce((a, b) => Math.max(a, Math.abs(b)))));
  for (const [at, row] of [...result.logits, result.first].entries()) {
    const off = Array.from(row).reduce(
      (most, value, id) => Math.max(most, Math.abs(value - rows[at]![id]!)),
      0,
    );
    assert.ok(off <= LIMIT * largest, `row ${at}: off by ${off}, the largest logit is ${largest}`);
  }
  assert.ok(expected.lead > 2 * LIMIT * largest, `the second token is close: ${expected.lead}`);
  assert.deepEqual(result.generated, expected.generated);
  assertStats(result.stats, expected.firing);
  assert.deepEqual(complaints, []);
});

const RUNTIME_OPTIONS = { contextLength: IDS.length, threads: 2, ffn: 'sparse' } as const;

/**
 * Loads the bundle and returns `Results` and stats as JSON: a page has no other way for so many numbers that
 * is fast.
 */
async function runInPage(
  runtime: typeof import('../../src/webgpu/runtime.ts'),
  url: string,
  ids: readonly number[],
): Promise<string> {
  const model = await runtime.load(url, { contextLength: 64, cache: false });
  const logits = (await model.logits(ids)).map((row) => Array.from(row));
  const first = Array.from((await model.logits(ids.slice(0, 1)))[0]!);
  const generated: number[] = [];
  for await (const piece of model.generate(model.detokenize(ids.slice(0, 1)), { maxTokens: 2 })) {
    generated.push(...piece.ids);
  }
  const stats = await model.stats();
  model.dispose();
  return JSON.stringify({ logits, first, generated, stats });
}

/** What the page computes, by the reference runtime. */
async function expectedOf(
  runtime: PlmRuntime,
): Promise<Results & { readonly lead: number; readonly firing: number }> {
  try {
    const first = (await runtime.next(IDS.slice(0, 1))).slice();
    runtime.reset();
    const generated: number[] = [];
    let lead = Number.POSITIVE_INFINITY;
    for (let fed = IDS[0]!; generated.length < 2; fed = generated.at(-1)!) {
      const row = (await runtime.next([fed])).subarray(0, SMALL_TOKENIZER.tokens.length);
      const [best, second] = row.toSorted((a, b) => b - a);
      lead = Math.min(lead, best! - second!);
      generated.push(row.indexOf(best!));
    }
    // Beside up_proj, which is read whole and as large.
    const firing = 2 * runtime.ffnReadShare - 1;
    runtime.reset();
    const logits: Float32Array[] = [];
    for await (const row of runtime.logits(IDS)) logits.push(row.slice());
    return { logits, first, generated, lead, firing };
  } finally {
    await runtime.close();
  }
}

/** Holds figures to the geometry. `firing` is the share of neurons of the tokens that came one by one. */
function assertStats(stats: ModelStats, firing: number): void {
  const { dispatches, bytesPerToken } = stats;
  // The embedding lies in two bindings: two look-ups, two parts of the head, and the choice of the token.
  assert.deepEqual(dispatches, { layer: 7, token: 2 + 7 * LAYERS + 2 + 1 });
  assert.ok(stats.largestBinding <= BINDING_BYTES, `${stats.largestBinding}`);

  const weights = (rows: number, columns: number) => rows * columns * (4 / 8 + 2 / 32);
  const down = weights(8192, 2048);
  const attention =
    weights(16 * (128 + 64), 2048) +
    weights(512 + 64, 2048) +
    weights(16 * (128 + 128), 512) +
    weights(2048, 16 * 128);
  const norms = 4 * (2048 + 512 + 2048);
  const dense = weights(151_936, 2048) + LAYERS * (attention + weights(8192, 2048) + down + norms) + 4 * 2048;
  // What is bound where there is nothing takes 16 bytes.
  assert.equal(bytesPerToken.dense, dense + 16);
  const mean = stats.firing.reduce((sum, share) => sum + share, 0) / LAYERS;
  assert.equal(stats.firing.length, LAYERS);
  assert.ok(Math.abs(mean - firing) < 1e-3, `${mean} of the neurons fire, not ${firing}`);
  assert.equal(bytesPerToken.sparse, Math.round(dense + 16 - LAYERS * down * (1 - mean)));
  assert.equal(stats.position, 2);
  assert.equal(bytesPerToken.cache, 2 * LAYERS * 2 * (512 + 64));
}
