import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { openHfFolder } from '../../../formats/hf/import.ts';
import type { Dtype } from '../../../formats/onnx/folder/graph-file.ts';
import { closeModel } from '../../../src/core/model.ts';
import { NO_BROWSER, openPage } from '../../support/browser.ts';
import { CLEAR_PROMPTS, greedy, LEAD_NOISE } from '../../support/greedy.ts';
import { exportOnnx, openExported } from '../../support/onnx-artifact.ts';
import { fixture } from '../../support/paths.ts';
import { continuations } from '../../support/transformers.ts';

interface Case {
  readonly device: 'wasm' | 'webgpu';
  /** What is asked for; left out: config.json chooses. */
  readonly dtype?: Dtype;
  /** What is loaded. */
  readonly scheme: 'q4' | 'q8';
  readonly prompts: number;
  readonly tokens: number;
}

/** A GPU in software takes seconds a token, more where products of 4 bits run on it. */
const CASES: readonly Case[] = [
  { device: 'wasm', scheme: 'q8', prompts: 4, tokens: 12 },
  { device: 'wasm', dtype: 'q4', scheme: 'q4', prompts: 4, tokens: 12 },
  { device: 'webgpu', scheme: 'q4', prompts: 1, tokens: 12 },
  { device: 'webgpu', dtype: 'q8', scheme: 'q8', prompts: 1, tokens: 4 },
];

describe('transformers.js in a browser writes the texts of the runtime', { skip: NO_BROWSER }, () => {
  it('from a folder of two graphs whose weights are several files', async (t) => {
    const source = await openHfFolder(fixture('plm-tiny'));
    t.after(() => closeModel(source));
    const folder = await exportOnnx(t, source, ['q4', 'q8'], { shardSize: 1_000_000 });
    const page = await openPage(t, path.dirname(folder));
    for (const { device, dtype, scheme, ...size } of CASES) {
      await t.test(
        `onnx:${scheme}, ${dtype ? 'by its dtype' : 'without a dtype'}, on ${device}`,
        async (t) => {
          const artifact = await openExported(t, path.join(folder, 'onnx', `model_${scheme}.onnx`));
          const model = { name: path.basename(folder), device, ...(dtype && { dtype }) };
          const prompts = CLEAR_PROMPTS.slice(0, size.prompts);
          const { tokens } = size;
          const loaded = await page.evaluate(continuations, { model, prompts, tokens });
          assert.equal(loaded.dtype, scheme);
          const cache = device === 'webgpu' ? 'gpu-buffer' : 'cpu';
          for (const [index, { ids, text, runs }] of loaded.continuations.entries()) {
            const expected = await greedy(artifact, { prompt: prompts[index]!, tokens });
            assert.ok(expected.lead > LEAD_NOISE[scheme], `${prompts[index]}: a lead of ${expected.lead}`);
            assert.deepEqual([ids, text], [expected.ids, expected.text]);
            // The prompt once, then token after token, each for the logits of the last position alone.
            const past = expected.promptIds.length;
            assert.deepEqual(runs, [
              { tokens: past, past: 0, logits: 1, cache },
              ...Array.from({ length: tokens - 1 }, (_, at) => ({
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
  });
});
