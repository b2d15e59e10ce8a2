import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { openHfFolder } from '../../../formats/hf/import.ts';
import type { Dtype } from '../../../formats/onnx/folder/graph-file.ts';
import { closeModel } from '../../../src/core/model.ts';
import { exportOnnx, openExported } from '../../support/builders/onnx-artifact.ts';
import { NO_BROWSER, openPage } from '../../support/drivers/browser.ts';
import { CLEAR_PROMPTS, greedy, LEAD_NOISE, lostLead } from '../../support/oracles/greedy.ts';
import { logitsOf } from '../../support/oracles/logits.ts';
import { continuations, logitRows, logitsOf as scores } from '../../support/oracles/transformers.ts';
import { fixture } from '../../support/paths.ts';

interface Case {
  readonly device: 'wasm' | 'webgpu';
  /** What is asked for; left out: config.json chooses. */
  readonly dtype?: Dtype;
  /** What is loaded. */
  readonly scheme: 'q4' | 'q8';
  readonly prompts: readonly string[];
}

/** One prompt on the GPU, for in software it takes seconds per token. It has no kernel for q8's products. */
const CASES: readonly Case[] = [
  { device: 'wasm', scheme: 'q8', prompts: CLEAR_PROMPTS.slice(0, 2) },
  { device: 'wasm', dtype: 'q4', scheme: 'q4', prompts: CLEAR_PROMPTS.slice(0, 2) },
  { device: 'webgpu', scheme: 'q4', prompts: CLEAR_PROMPTS.slice(0, 1) },
];

const TOKENS = 12;

const golden = JSON.parse(readFileSync(fixture('plm-tiny', 'golden.json'), 'utf8')) as {
  readonly ids: readonly number[];
};

describe('transformers.js in a browser', { skip: NO_BROWSER }, () => {
  it('a folder of two graphs whose weights are several files', async (t) => {
    const source = await openHfFolder(fixture('plm-tiny'));
    t.after(() => closeModel(source));
    const folder = await exportOnnx(t, source, ['q4', 'q8'], { shardSize: 1_000_000 });
    const page = await openPage(t, path.dirname(folder));
    for (const { device, dtype, scheme, prompts } of CASES) {
      await t.test(
        `onnx:${scheme} ${dtype ? 'by its dtype' : 'without a dtype'} on ${device} writes the text of the runtime`,
        async (t) => {
          const artifact = await openExported(t, path.join(folder, 'onnx', `model_${scheme}.onnx`));
          const model = { name: path.basename(folder), device, ...(dtype && { dtype }) };
          const loaded = await page.evaluate(continuations, { model, prompts, tokens: TOKENS });
          assert.equal(loaded.dtype, scheme);
          const cache = device === 'webgpu' ? 'gpu-buffer' : 'cpu';
          for (const [index, { ids, text, runs }] of loaded.continuations.entries()) {
            const expected = await greedy(artifact, { prompt: prompts[index]!, tokens: TOKENS });
            assert.ok(expected.lead > LEAD_NOISE[scheme], `${prompts[index]}: a lead of ${expected.lead}`);
            assert.deepEqual([ids, text], [expected.ids, expected.text]);
            // The prompt once, then token after token, each for the logits of the last position alone.
            const past = expected.promptIds.length;
            assert.deepEqual(runs, [
              { tokens: past, past: 0, logits: 1, cache },
              ...Array.from({ length: TOKENS - 1 }, (_, at) => ({
                tokens: 1,
                past: past + at,
                logits: 1,
                cache,
              })),
            ]);
          }
        },
      );
    }

    for (const { dtype, scheme } of CASES.filter(({ device }) => device === 'wasm')) {
      await t.test(`onnx:${scheme} on wasm scores every position as the runtime does`, async (t) => {
        const artifact = await openExported(t, path.join(folder, 'onnx', `model_${scheme}.onnx`));
        const model = { name: path.basename(folder), device: 'wasm', ...(dtype && { dtype }) } as const;
        const scored = logitRows(await page.evaluate(scores, { model, tokens: golden.ids }));
        const expected = await logitsOf(artifact, golden.ids);
        assert.equal(scored.length, golden.ids.length);
        const loss = lostLead(expected, scored);
        assert.ok(loss <= LEAD_NOISE[scheme], `a loss of ${loss}`);
      });
    }
  });
});
