import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { SAMPLE_TEXT } from '../../calibration/sample-text.ts';
import { bundledTexts } from '../../src/pipeline/calibration/calibration-text.ts';
import { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { fixtureText } from '../support/builders/statistics.ts';
import { PLM_TEMPLATE } from '../support/oracles/plm-template.ts';
import { qwenSpec } from '../support/oracles/qwen-vocabulary.ts';
import { AutoTokenizer } from '../support/oracles/transformers-js.ts';
import { fixture, repoRoot } from '../support/paths.ts';

const FOLDER = path.join(repoRoot, 'calibration', 'text');
const FILES = readdirSync(FOLDER).filter((file) => file !== 'README.md');

const spec = { ...qwenSpec(), chatTemplate: PLM_TEMPLATE };
const texts = await bundledTexts(spec);
const tokenizer = new Tokenizer(spec);
const counted = texts.map(({ name, text, chat = false }) => ({
  kind: name.replace('plmpress ', ''),
  text,
  tokens: tokenizer.encode(text, { special: chat }).length,
}));

interface Message {
  readonly role: string;
  readonly content: string;
}

const CONVERSATIONS: readonly (readonly Message[])[] = JSON.parse(
  readFileSync(path.join(FOLDER, 'dialogues.json'), 'utf8'),
);

/** Words of the Universal Declaration of Human Rights that no other language here has. */
const LANGUAGES: Readonly<Record<string, string>> = {
  Arabic: 'لكل شخص الحق',
  Dutch: 'Een ieder heeft recht op',
  French: 'Toute personne a droit à',
  German: 'Jeder hat das Recht auf',
  Hindi: 'अधिकार',
  Indonesian: 'Setiap orang berhak',
  Italian: 'Ogni individuo ha diritto',
  Japanese: '権利を有する',
  Korean: '모든 사람은',
  Polish: 'Każdy człowiek ma prawo',
  Portuguese: 'Todo ser humano tem direito',
  Russian: 'Каждый человек имеет право',
  Spanish: 'Toda persona tiene',
  Thai: 'ทุกคนมีสิทธิ',
  Turkish: 'Herkesin',
  Vietnamese: 'Mọi người đều có quyền',
};

describe('the files of the calibration text', () => {
  for (const file of FILES) {
    it(`${file} is UTF-8 in NFC, with nothing that cannot be seen`, () => {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path.join(FOLDER, file)));
      assert.equal(text, text.normalize('NFC'));
      // Zero-width joiners belong to the spelling of some languages.
      assert.doesNotMatch(text, /[\ufffd\ufeff]|(?![\n\t])\p{Cc}/u);
    });
  }

  it('are those of the README, with its counts', () => {
    const readme = readFileSync(path.join(FOLDER, 'README.md'), 'utf8');
    const rows = [...readme.matchAll(/^\| `([\w.]+)` \| ([\d,]+) \| ([\d,]+) \|$/gm)];
    assert.deepEqual(rows.map(([, file]) => file).sort(), FILES.sort());
    for (const [, file, ...counts] of rows) {
      const passages = counted.filter(({ kind }) => kind === path.parse(file!).name);
      const tokens = passages.reduce((sum, passage) => sum + passage.tokens, 0);
      const stated = counts.map((count) => Number(count.replaceAll(',', '')));
      assert.deepEqual(stated, [passages.length, tokens], file);
    }
  });

  it('have no text that models are compared with', () => {
    const run = 60;
    const squeezed = (text: string) => text.replace(/\s+/g, ' ');
    const runsOf = (text: string) =>
      Array.from({ length: Math.max(0, text.length - run + 1) }, (_, i) => text.slice(i, i + run));
    const compared = new Set(runsOf(squeezed(`${fixtureText('eval')} ${SAMPLE_TEXT}`)));
    for (const { text } of texts) {
      const shared = runsOf(squeezed(text)).find((part) => compared.has(part));
      assert.equal(shared, undefined);
    }
  });

  it('have all languages that they promise', () => {
    const passages = counted.filter(({ kind }) => kind === 'languages');
    for (const [language, words] of Object.entries(LANGUAGES)) {
      const found = passages.filter(({ text }) => text.includes(words)).length;
      assert.ok(found >= 1 && found <= 2, `${language}: ${found}`);
    }
    assert.equal(passages.length, 2 * Object.keys(LANGUAGES).length);
  });

  it('have dialogues of a user and an assistant in turns, maybe after a system message', () => {
    for (const messages of CONVERSATIONS) {
      const roles = messages.map(({ role }) => role).join(' ');
      assert.match(roles, /^(system )?user assistant( user assistant)*$/);
      assert.ok(messages.every(({ content }) => content !== '' && content === content.trim()));
    }
  });
});

describe('passages', () => {
  it('fit into one chunk each', () => {
    assert.deepEqual(
      counted.filter(({ tokens }) => tokens > 512 || tokens < 32),
      [],
    );
  });

  it('are of all kinds within the first 2,048 tokens', () => {
    let before = 0;
    const kinds = new Set<string>();
    for (const { kind, tokens } of counted) {
      if (before + tokens > 2048) break;
      kinds.add(kind);
      before += tokens;
    }
    assert.deepEqual([...kinds].sort(), ['chinese', 'code', 'dialogues', 'languages', 'prose']);
  });
});

describe('dialogues', async () => {
  const jinja = await AutoTokenizer.from_pretrained(fixture('plm-tiny'));
  const textsOf = async (chatTemplate: string) =>
    (await bundledTexts({ ...spec, chatTemplate })).filter(({ name }) => name === 'plmpress dialogues');

  it('are spelled in the chat template of the model', async () => {
    for (const chat_template of [PLM_TEMPLATE, jinja.chat_template as string]) {
      const dialogues = await textsOf(chat_template);
      assert.deepEqual(
        dialogues.map(({ text }) => text),
        CONVERSATIONS.map((messages) =>
          jinja.apply_chat_template([...messages], { chat_template, tokenize: false }),
        ),
      );
      assert.ok(dialogues.every(({ chat }) => chat));
    }
  });

  it('have no markers where the template is not known', async () => {
    const dialogues = await textsOf('{{ messages }}');
    assert.equal(dialogues.length, CONVERSATIONS.length);
    assert.ok(dialogues.every(({ text, chat }) => !/<\|/.test(text) && chat === undefined));
    assert.equal(dialogues[0]!.text, CONVERSATIONS[0]!.map(({ content }) => content).join('\n\n'));
  });
});
