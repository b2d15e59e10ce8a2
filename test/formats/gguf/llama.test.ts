import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { planGguf } from '../../../formats/gguf/export.ts';
import { RECIPES } from '../../../formats/gguf/recipes.ts';
import { openHfFolder } from '../../../formats/hf/import.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { Tokenizer } from '../../../src/tokenizer/tokenizer.ts';
import { type LlamaFile, openInLlama } from '../../support/llama.ts';
import { fixture } from '../../support/paths.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { writePlan } from '../../support/write-plan.ts';

interface Golden {
  readonly ids: readonly number[];
  /** Logits of the stored weights in f64 arithmetic, a row a position. */
  readonly logits: readonly (readonly number[])[];
}

const golden: Golden = JSON.parse(readFileSync(fixture('plm-tiny', 'golden.json'), 'utf8'));

/** Greatest mean KL divergence of llama.cpp's next-token distributions from the golden ones. */
const MAX_KL: Readonly<Record<string, number>> = {
  // What remains is llama.cpp's cache of f16 (measured 1.3e-7) and, in bf16 and f16 files, its rounding of
  // activations to the type of the weights (measured 8.8e-6 and 2.3e-7).
  f32: 1e-4,
  bf16: 1e-4,
  f16: 1e-4,
  // Weights lose bits here (measured 1.8e-4 and 6.2e-3); a wrong scale or order of blocks gives more than 1.
  q8_0: 1e-3,
  q4_0: 3e-2,
};

/** Texts in NFC: scripts, spaces, numbers, marks, and the texts of special tokens. */
const TEXTS: readonly string[] = [
  'Hello, world! 12345',
  '  spaced  text\n',
  'Mr. Speaker, Mr. Vice President, Members of Congress',
  "I'll say they've done what she'd said it's not",
  "I'LL SAY THEY'VE DONE WHAT SHE'D SAID",
  '你好，世界！',
  'Café — κόσμος 🚀',
  '\n\n\n  \n\t\tindented\r\nlines\r\n',
  '3.14159 + 2.71828 = 5.85987',
  'snake_case camelCase kebab-case SCREAMING',
  'https://example.org/a?b=c&d=%20#e',
  'Ünïcödé ñandú žluťoučký kůň',
  '日本語のテキストと한국어 텍스트',
  'مرحبا بالعالم שלום עולם',
  '👩‍👩‍👧‍👦 🏳️‍🌈 e',
  '<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n',
  'text<|endoftext|>text',
  '<|im_end|><|im_end|>',
  '<|im_end |> <| im_end|> <|unknown|>',
  ' \u00a0\u2003\u3000 unusual spaces \u200b here',
];

function logSoftmax(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  const max = values.reduce((a, b) => Math.max(a, b));
  const log = Math.log(values.reduce((sum, value) => sum + Math.exp(value - max), 0));
  return values.map((value) => value - max - log);
}

function divergence(reference: ArrayLike<number>, other: ArrayLike<number>): number {
  const [p, q] = [logSoftmax(reference), logSoftmax(other)];
  return p.reduce((sum, value, id) => sum + Math.exp(value) * (value - q[id]!), 0);
}

describe('llama.cpp runs plm-tiny', () => {
  let model: Model;
  before(async () => {
    model = await openHfFolder(fixture('plm-tiny'));
  });
  after(() => closeModel(model));

  for (const { name: recipe } of RECIPES) {
    it(`from gguf:${recipe} with the golden distributions over ${golden.ids.length} positions`, async (t) => {
      const [file] = await writePlan(planGguf(model, { recipe }), temporaryFolder(t));
      const llama = await openInLlama(file!);
      t.after(() => llama.dispose());
      const rows = await llama.logits(golden.ids);
      const mean = rows.reduce((sum, row, i) => sum + divergence(golden.logits[i]!, row), 0) / rows.length;
      t.diagnostic(`mean KL ${mean.toExponential(2)}`);
      assert.equal(rows.length, 128);
      assert.ok(mean <= MAX_KL[recipe]!, `mean KL ${mean}`);
    });
  }

  it('from shards as from one file', async (t) => {
    const folder = temporaryFolder(t);
    const [whole] = await writePlan(planGguf(model, { recipe: 'bf16' }), folder);
    const shards = await writePlan(planGguf(model, { recipe: 'bf16', shardSize: 2_000_000 }), folder);
    assert.ok(shards.length >= 4);
    const [a, b] = [await openInLlama(whole!), await openInLlama(shards[0]!)];
    t.after(() => Promise.all([a.dispose(), b.dispose()]));
    const ids = golden.ids.slice(0, 32);
    assert.deepEqual(await a.logits(ids), await b.logits(ids));
  });
});

describe('llama.cpp reads the tokenizer of plm-tiny', () => {
  let model: Model;
  let llama: LlamaFile;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'plmpress-test-'));
  before(async () => {
    model = await openHfFolder(fixture('plm-tiny'));
    const [file] = await writePlan(planGguf(model, { recipe: 'q8_0' }), folder);
    llama = await openInLlama(file!, 32);
  });
  after(async () => {
    await llama.dispose();
    await closeModel(model);
    rmSync(folder, { recursive: true });
  });

  for (const special of [false, true]) {
    it(`and gives our ids for ${TEXTS.length} texts, special tokens ${special ? 'parsed' : 'as text'}`, () => {
      const ours = new Tokenizer(model.tokenizer);
      for (const text of TEXTS) {
        assert.deepEqual(llama.tokenize(text, special), ours.encode(text, { special }), JSON.stringify(text));
      }
    });
  }

  it('and ends a generation at every stop token of the model, <|endoftext|> and <|im_end|>, only', () => {
    const { stopTokenIds, tokens } = model.tokenizer;
    assert.deepEqual(
      stopTokenIds.map((id) => tokens[id]),
      ['<|endoftext|>', '<|im_end|>'],
    );
    const ends = Array.from({ length: model.config.vocabSize }, (_, id) => id).filter((id) =>
      llama.isEndOfGeneration(id),
    );
    assert.deepEqual(ends, stopTokenIds);
  });
});
