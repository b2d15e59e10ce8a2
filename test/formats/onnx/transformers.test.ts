import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, it, type TestContext } from 'node:test';
import { openHfFolder } from '../../../formats/hf/import.ts';
import { onnxSchemeNamed } from '../../../formats/onnx/schemes.ts';
import type { CacheForm } from '../../../src/core/config.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { exportOnnx, largestDifference, openExported } from '../../support/builders/onnx-artifact.ts';
import { OnnxSequences } from '../../support/builders/onnx-sequences.ts';
import { CLEAR_PROMPTS, greedy, LEAD_NOISE, lostLead } from '../../support/oracles/greedy.ts';
import { logitsOf } from '../../support/oracles/logits.ts';
import {
  continuations,
  logitRows,
  logitsOf as scores,
  useModels,
} from '../../support/oracles/transformers.ts';
import { pipeline } from '../../support/oracles/transformers-js.ts';
import { fixture } from '../../support/paths.ts';

type Scheme = keyof typeof LEAD_NOISE;

const SCHEMES = Object.keys(LEAD_NOISE) as Scheme[];

/**
 * Tokens of a text. The CPU provider rounds activations, so that texts of real exports are compared where
 * that cannot change them: at prompts whose likeliest tokens lead by more than the rounding takes from any
 * lead. They bear much, so that scores are compared too.
 */
const TOKENS = 12;

const golden = JSON.parse(readFileSync(fixture('plm-tiny', 'golden.json'), 'utf8')) as {
  readonly ids: readonly number[];
};

let source: Model;
before(async () => {
  source = await openHfFolder(fixture('plm-tiny'));
});
after(() => closeModel(source));

/** What transformers.js calls a folder that lies among those of the tests. */
async function nameOf(folder: string): Promise<string> {
  await useModels(os.tmpdir());
  return path.relative(os.tmpdir(), folder);
}

/** The runtime's texts from the weights of a graph; the choice of each token is clear in `scheme`. */
async function clearTexts(t: TestContext, graph: string, scheme: Scheme, attention: CacheForm = 'latent') {
  const artifact = await openExported(t, graph);
  const texts: { ids: readonly number[]; text: string }[] = [];
  for (const prompt of CLEAR_PROMPTS) {
    const { ids, text, promptIds, lead } = await greedy(artifact, { prompt, tokens: TOKENS, attention });
    assert.ok(promptIds.length >= 12);
    assert.ok(lead > LEAD_NOISE[scheme], `${prompt}: a lead of ${lead}`);
    texts.push({ ids, text });
  }
  return texts;
}

function graphOf(folder: string, scheme: Scheme): string {
  return path.join(folder, 'onnx', `model_${scheme}.onnx`);
}

for (const [cache, schemes] of [
  ['latent', SCHEMES],
  ['expanded', ['f32', 'q4']],
] as const) {
  for (const scheme of schemes) {
    it(`rounding in ONNX Runtime takes little of a lead: onnx:${scheme}, ${cache} cache`, async (t) => {
      const artifact = await openExported(t, await exportOnnx(t, source, scheme, { cache }));
      const expected = await logitsOf(artifact, golden.ids, { attention: cache });
      const graph = await OnnxSequences.open(artifact, { intraOpNumThreads: 1 });
      t.after(() => graph.close());
      for (const rows of [await graph.prefill(golden.ids), await graph.decode(golden.ids)]) {
        const loss = lostLead(expected, rows);
        assert.ok(loss <= LEAD_NOISE[scheme], `a loss of ${loss}`);
      }
    });

    it(`transformers.js writes the runtime's texts: onnx:${scheme}, ${cache} cache`, async (t) => {
      const folder = await exportOnnx(t, source, scheme, { cache });
      const expected = await clearTexts(t, folder, scheme, cache);
      const name = await nameOf(folder);
      const { dtype } = onnxSchemeNamed(scheme);
      // The second time config.json has to say what the folder holds.
      for (const model of [{ name, device: 'cpu', dtype } as const, { name, device: 'cpu' } as const]) {
        const loaded = await continuations({ model, prompts: CLEAR_PROMPTS, tokens: TOKENS });
        assert.equal(loaded.dtype, dtype);
        assert.deepEqual(
          loaded.continuations.map(({ ids, text }) => ({ ids, text })),
          expected,
        );
      }
    });
  }
}

it('transformers.js fills the caches token by token and asks for the logits of the last one', async (t) => {
  const name = await nameOf(await exportOnnx(t, source, 'q4'));
  const prompts = [CLEAR_PROMPTS[0]!];
  const { continuations: texts } = await continuations({
    model: { name, device: 'cpu' },
    prompts,
    tokens: 3,
  });
  assert.deepEqual(texts[0]!.runs, [
    { tokens: 14, past: 0, logits: 1, cache: 'cpu' },
    { tokens: 1, past: 14, logits: 1, cache: 'cpu' },
    { tokens: 1, past: 15, logits: 1, cache: 'cpu' },
  ]);
});

it('transformers.js scores every position where nothing is generated', async (t) => {
  const folder = await exportOnnx(t, source, 'f32');
  const model = { name: await nameOf(folder), device: 'cpu' } as const;
  const rows = logitRows(await scores({ model, tokens: golden.ids }));
  const expected = await logitsOf(await openExported(t, folder), golden.ids);
  assert.equal(rows.length, golden.ids.length);
  const difference = largestDifference(expected, rows);
  // Sums in another order, measured 2.9e-5; logits are up to 30.
  assert.ok(difference <= 2e-4, `difference ${difference}`);
});

it('transformers.js picks the first of several graphs in a folder, and any other by its dtype', async (t) => {
  const folder = await exportOnnx(t, source, ['q4', 'q8', 'f32']);
  const name = await nameOf(folder);
  for (const [scheme, dtype] of [
    ['q4', undefined],
    ['q8', 'q8'],
    ['f32', 'fp32'],
  ] as const) {
    const expected = await clearTexts(t, graphOf(folder, scheme), scheme);
    const model = { name, device: 'cpu', ...(dtype && { dtype }) } as const;
    const loaded = await continuations({ model, prompts: CLEAR_PROMPTS, tokens: TOKENS });
    assert.equal(loaded.dtype, dtype ?? 'q4');
    assert.deepEqual(
      loaded.continuations.map(({ ids, text }) => ({ ids, text })),
      expected,
    );
  }
});

it('transformers.js pads prompts of several lengths and continues them together', async (t) => {
  const folder = await exportOnnx(t, source, 'f32');
  const expected = await clearTexts(t, folder, 'f32');
  const generator = await pipeline('text-generation', await nameOf(folder), { device: 'cpu' });
  t.after(() => generator.dispose());
  const options = { max_new_tokens: TOKENS, do_sample: false, return_full_text: false };
  const outputs = await generator(CLEAR_PROMPTS, options);
  assert.deepEqual(
    outputs.map(([output]) => output!.generated_text),
    expected.map(({ text }) => text),
  );
});

it('transformers.js puts messages into the chat template of the model', async (t) => {
  const folder = await exportOnnx(t, source, 'f32');
  const messages = [
    { role: 'system', content: 'The President of the United States speaks.' },
    { role: 'user', content: 'What does the Congress expect of the Secretary of the Treasury?' },
  ];
  const prompt =
    '<|im_start|>system\nThe President of the United States speaks.<|im_end|>\n' +
    '<|im_start|>user\nWhat does the Congress expect of the Secretary of the Treasury?<|im_end|>\n' +
    '<|im_start|>assistant\n';
  const { ids, text, promptIds, lead } = await greedy(await openExported(t, folder), {
    prompt,
    tokens: TOKENS,
  });
  assert.ok(lead > LEAD_NOISE.f32, `a lead of ${lead}`);
  const { continuations: texts } = await continuations({
    model: { name: await nameOf(folder), device: 'cpu' },
    prompts: [messages],
    tokens: TOKENS,
  });
  assert.equal(texts[0]!.runs[0]!.tokens, promptIds.length);
  assert.deepEqual([texts[0]!.ids, texts[0]!.text], [ids, text]);
});
