import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { companionFiles } from '../../../../formats/onnx/folder/index.ts';
import { Q4_GRAPH } from '../../../support/builders/companion-folder.ts';
import { hollowModel, SMALL_PLM } from '../../../support/builders/hollow-model.ts';

describe('the files beside the graphs', () => {
  const generation = { temperature: 0.7, topK: 40, topP: 0.9, minP: 1e-7, repetitionPenalty: 1.1 };
  const { files, notes } = companionFiles(hollowModel(SMALL_PLM, { generation }), [Q4_GRAPH]);

  it('are those that transformers.js and onnxruntime-genai ask for, and the config of the model', () => {
    assert.deepEqual(files.map(({ name }) => name).sort(), [
      'config.json',
      'genai_config.json',
      'generation_config.json',
      'plm_config.json',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    assert.deepEqual(notes, []);
  });

  it('are JSON as people write it', () => {
    // The vocabulary is in the order of ids, which no object of JavaScript keeps.
    for (const { name, text } of files.filter((file) => file.name !== 'tokenizer.json')) {
      assert.equal(text, `${JSON.stringify(JSON.parse(text), null, 2)}\n`, name);
    }
  });
});
