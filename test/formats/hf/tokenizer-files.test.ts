import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { openHfFolder } from '../../../formats/hf/import.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { neededFiles } from '../../../src/pipeline/sources/needed-files.ts';
import { writeTinyCheckpoint } from '../../support/builders/tiny-checkpoint.ts';
import { assertRejects } from '../../support/rejects.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** A tiny checkpoint after a change. */
async function opened(t: TestContext, change: (folder: string) => void): Promise<Model> {
  const folder = temporaryFolder(t);
  writeTinyCheckpoint(folder);
  change(folder);
  const model = await openHfFolder(folder);
  t.after(() => closeModel(model));
  return model;
}

/** Replaces tokenizer.json by the files that Qwen2's class reads. */
function splitTokenizer(folder: string): void {
  const file = path.join(folder, 'tokenizer.json');
  const { vocab, merges } = JSON.parse(readFileSync(file, 'utf8')).model;
  rmSync(file);
  writeFileSync(path.join(folder, 'vocab.json'), JSON.stringify(vocab));
  writeFileSync(path.join(folder, 'merges.txt'), `#version: 0.2\n${merges.join('\n')}\n`);
}

const TEMPLATES = 'additional_chat_templates';

describe('files of a tokenizer', () => {
  it('vocab.json and merges.txt are read where tokenizer.json is missing', async (t) => {
    const { tokenizer, files } = await opened(t, splitTokenizer);
    assert.deepEqual(tokenizer, (await opened(t, () => {})).tokenizer);
    const names = files.map(({ name }) => name);
    assert.ok(names.includes('vocab.json') && names.includes('merges.txt'));
  });

  it('templates of files of their own come along, and what they are called is recorded', async (t) => {
    const { tokenizer, files } = await opened(t, (folder) => {
      writeFileSync(path.join(folder, 'chat_template.jinja'), 'D');
      mkdirSync(path.join(folder, TEMPLATES));
      writeFileSync(path.join(folder, TEMPLATES, 'tool_use.jinja'), 'T');
      writeFileSync(path.join(folder, TEMPLATES, 'RAG.JINJA'), 'R');
      writeFileSync(path.join(folder, TEMPLATES, 'notes.txt'), 'N');
    });
    assert.equal(tokenizer.chatTemplate, 'D');
    assert.deepEqual(tokenizer.namedChatTemplates, [
      { name: 'RAG', template: 'R' },
      { name: 'tool_use', template: 'T' },
    ]);
    assert.ok(files.some(({ name }) => name === `${TEMPLATES}/tool_use.jinja`));
  });

  it('a byte order mark before JSON stands for nothing', async (t) => {
    const { tokenizer } = await opened(t, (folder) => {
      for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json']) {
        const file = path.join(folder, name);
        writeFileSync(file, `\ufeff${readFileSync(file, 'utf8')}`);
      }
    });
    assert.deepEqual(tokenizer, (await opened(t, () => {})).tokenizer);
  });

  // biome-ignore format: a table
  const refused: readonly [what: string, change: (folder: string) => void, message: RegExp, failure?: 'unsupported'][] = [
    ['vocab.json without merges.txt', (f) => { splitTokenizer(f); rmSync(path.join(f, 'merges.txt')); }, /^merges\.txt: missing, and tokenizer\.json too, expected it, or tokenizer\.json, as save_pretrained/],
    ['a tokenizer of SentencePiece', (f) => { rmSync(path.join(f, 'tokenizer.json')); writeFileSync(path.join(f, 'tokenizer.model'), ''); }, /^tokenizer\.model: this kind of tokenizer is not read, expected tokenizer\.json, as save_pretrained/, 'unsupported'],
    ['tokenizer.json that is a web page', (f) => writeFileSync(path.join(f, 'tokenizer.json'), '<!DOCTYPE html>'), /^tokenizer\.json: this is an HTML page, as failed downloads leave$/],
    ['templates behind a link out of the folder', (f) => symlinkSync('/', path.join(f, TEMPLATES)), /^additional_chat_templates: symbolic link that leads out of the folder$/],
  ];
  for (const [what, change, message, failure] of refused) {
    it(`refuses ${what}`, async (t) => {
      const folder = temporaryFolder(t);
      writeTinyCheckpoint(folder);
      change(folder);
      await assertRejects(folder, () => openHfFolder(folder), { message, ...(failure && { failure }) });
    });
  }

  it('a repository brings what reading takes', () => {
    const listed = (...names: string[]) => names.map((name) => ({ path: name }));
    const weights = ['config.json', 'model.safetensors'];
    const names = (...files: string[]) =>
      neededFiles('org/m', listed(...weights, ...files)).files.map((file) => file.path);
    const split = ['vocab.json', 'merges.txt', 'added_tokens.json'];
    assert.deepEqual(names(...split), [...weights, ...split]);
    assert.deepEqual(names(...split, 'tokenizer.json'), [...weights, 'added_tokens.json', 'tokenizer.json']);
    const templates = ['chat_template.json', `${TEMPLATES}/tool_use.jinja`];
    const others = [`${TEMPLATES}/a/b.jinja`, `${TEMPLATES}/a.txt`, 'other/c.jinja'];
    assert.deepEqual(names('tokenizer.json', ...templates, ...others), [
      ...weights,
      'tokenizer.json',
      ...templates,
    ]);
  });
});
