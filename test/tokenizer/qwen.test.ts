import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { qwenSpec } from '../support/oracles/qwen-vocabulary.ts';
import { repoRoot } from '../support/paths.ts';

const tokenizer = new Tokenizer(qwenSpec());

describe('ids of the Qwen2.5 vocabulary', () => {
  // Those of Hugging Face tokenizers for the same tokenizer.json.
  const table: readonly [text: string, ids: readonly number[]][] = [
    ['Hello, world! 12345', [9707, 11, 1879, 0, 220, 16, 17, 18, 19, 20]],
    ['  spaced  text\n', [220, 63828, 220, 1467, 198]],
    ['你好，世界！', [108386, 3837, 99489, 6313]],
    ['Café — κόσμος 🚀', [34, 2577, 963, 1959, 71638, 75195, 43928, 43123, 27554, 45642, 11162, 248, 222]],
    ['<|im_start|>user\nHello<|im_end|>\n', [151644, 872, 198, 9707, 151645, 198]],
    ['e\u0301 é', [963, 3958]],
    ["It'ſ 'S", [2132, 6, 144815, 364, 50]],
  ];
  for (const [text, ids] of table) {
    it(JSON.stringify(text), () => {
      assert.deepEqual(tokenizer.encode(text, { special: true }), ids);
      assert.equal(tokenizer.decode(ids), text.normalize('NFC'));
    });
  }

  it('decomposed letters stay so without a normalizer, as in llama.cpp', () => {
    const plain = new Tokenizer({ ...tokenizer.spec, normalizer: 'none' });
    assert.deepEqual(plain.encode('e\u0301 é'), [68, 53839, 3958]);
  });
});

describe('Qwen2 vectors of llama.cpp', () => {
  const vectors = path.join(repoRoot, '../shared/vectors/ggml-vocab-qwen2.gguf');
  if (!existsSync(`${vectors}.inp`)) {
    const skip =
      'the 47 cases are data of a third party that may not be committed; put llama.cpp/models/' +
      `ggml-vocab-qwen2.gguf.{inp,out} into ${path.dirname(vectors)}`;
    it('47 texts', { skip }, () => {});
    return;
  }
  const texts = readFileSync(`${vectors}.inp`, 'utf8').split('\n__ggml_vocab_test__\n');
  const lines = readFileSync(`${vectors}.out`, 'utf8').split('\n');

  it('are 47', () => assert.deepEqual([texts.length, lines.length], [47, 47]));

  it('do not depend on the normalizer, which llama.cpp lacks', () => {
    for (const text of texts) assert.equal(text.normalize('NFC'), text);
  });

  for (const [i, text] of texts.entries()) {
    it(`case ${i}: ${JSON.stringify(text).slice(0, 60)}`, () => {
      const expected = lines[i]!.split(' ')
        .filter((id) => id !== '')
        .map(Number);
      assert.deepEqual(tokenizer.encode(text), expected);
      assert.equal(tokenizer.decode(expected), text);
    });
  }
});
