import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { companionFiles } from '../../../../formats/onnx/folder/index.ts';
import type { GenerationConfig } from '../../../../src/core/model.ts';
import { companion, Q4_GRAPH } from '../../../support/builders/companion-folder.ts';
import { hollowModel, SMALL_PLM, SMALL_TOKENIZER } from '../../../support/builders/hollow-model.ts';
import { genaiViolations } from '../../../support/oracles/genai-schema.ts';

const NAME = 'genai_config.json';
const config = (changes = {}) => companion(hollowModel(SMALL_PLM, changes), NAME);
const search = (generation: GenerationConfig) => config({ generation }).search;

describe('genai_config.json', () => {
  it('has nothing that onnxruntime-genai refuses', () => {
    const generation = { temperature: 0.7, topK: 40, topP: 0.9, minP: 0.05, repetitionPenalty: 1.1 };
    assert.deepEqual(genaiViolations(config()), []);
    assert.deepEqual(genaiViolations(config({ generation })), []);
  });

  it('describes the caches of the first graph', () => {
    const { type, decoder, vocab_size, context_length } = config().model;
    assert.deepEqual([type, vocab_size, context_length], ['decoder', 512, 4096]);
    assert.equal(decoder.filename, 'onnx/model_q4.onnx');
    assert.deepEqual([decoder.num_key_value_heads, decoder.head_size], [1, 136]);
    assert.deepEqual([decoder.num_attention_heads, decoder.num_hidden_layers], [4, 2]);
    // As the graph has them: docs/onnx.md.
    assert.deepEqual(decoder.inputs, {
      input_ids: 'input_ids',
      attention_mask: 'attention_mask',
      position_ids: 'position_ids',
      past_key_names: 'past_key_values.%d.key',
      past_value_names: 'past_key_values.%d.value',
    });
    assert.deepEqual(decoder.outputs, {
      logits: 'logits',
      present_key_names: 'present.%d.key',
      present_value_names: 'present.%d.value',
    });
  });

  it('samples as generation_config.json does, up to the whole context', () => {
    assert.deepEqual(search({}), { do_sample: false, max_length: 4096, past_present_share_buffer: false });
    const { do_sample, top_k, top_p } = search({ topK: 100_000, topP: 0.9 });
    assert.deepEqual([do_sample, top_k, top_p], [true, 512, 0.9]);
  });

  it('pads with the eos where no token pads, never with token 0', () => {
    const { padTokenId: _, ...tokenizer } = SMALL_TOKENIZER;
    const { model } = config({ tokenizer: { ...tokenizer, eosTokenId: 259 } });
    assert.deepEqual([model.pad_token_id, model.eos_token_id], [259, [259, 258]]);
  });
});

describe('what onnxruntime-genai cannot run has no genai_config.json but a note', () => {
  const files = (changes: object, graph = Q4_GRAPH) =>
    companionFiles(hollowModel(SMALL_PLM, changes), [graph]);

  it('caches of two widths', () => {
    const cache = { heads: 4, keyWidth: 192, valueWidth: 128 };
    const { files: written, notes } = files({}, { ...Q4_GRAPH, cache });
    assert.ok(!written.some(({ name }) => name === NAME));
    assert.deepEqual(notes, [
      'no genai_config.json: onnxruntime-genai caches keys and values of one width; this model has keys of 192 and values of 128',
    ]);
  });

  it('no token that ends a text', () => {
    const { eosTokenId: _, ...tokenizer } = SMALL_TOKENIZER;
    const { files: written, notes } = files({ tokenizer: { ...tokenizer, stopTokenIds: [] } });
    assert.ok(!written.some(({ name }) => name === NAME));
    assert.match(notes[0]!, /needs a token that ends a text/);
  });
});

describe('the schema of these tests', () => {
  it('refuses what src/config.cpp throws on', () => {
    const broken = config();
    broken.model.decoder.head_dim = 1;
    broken.model.bos_token_id = null;
    broken.search.top_k = 0.5;
    broken.plmpress = {};
    assert.deepEqual(genaiViolations(broken), [
      'genai_config.model.bos_token_id: no int32',
      'genai_config.model.decoder.head_dim: unknown',
      'genai_config.search.top_k: no int32',
      'genai_config.plmpress: unknown',
    ]);
  });
});
