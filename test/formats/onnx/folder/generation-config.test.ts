import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseGeneration } from '../../../../formats/hf/generation.ts';
import { generationConfigText } from '../../../../formats/onnx/folder/generation-config.ts';
import type { GenerationConfig } from '../../../../src/core/model.ts';
import { SMALL_TOKENIZER } from '../../../support/builders/hollow-model.ts';

const text = (generation: GenerationConfig, tokenizer = SMALL_TOKENIZER) =>
  generationConfigText({ generation, tokenizer });

describe('generation_config.json', () => {
  it('is read back by the importer of Hugging Face folders', () => {
    const sampling = { temperature: 0.7, topK: 40, topP: 0.9, minP: 0.05, repetitionPenalty: 1.1 };
    const eosTokenIds = [258, 259];
    assert.deepEqual(parseGeneration(text(sampling), 'f'), { sampling, eosTokenIds, notes: [] });
    const greedy = { sampling: { temperature: 0 }, eosTokenIds, notes: [] };
    assert.deepEqual(parseGeneration(text({}), 'f'), greedy);
    assert.deepEqual(parseGeneration(text({ temperature: 0, topK: 40 }), 'f').sampling, greedy.sampling);
  });

  it('samples where there are defaults of sampling', () => {
    const samples = (generation: GenerationConfig) => JSON.parse(text(generation)).do_sample;
    for (const generation of [{ temperature: 0.7 }, { topK: 5 }, { topP: 0.9 }, { minP: 0.1 }]) {
      assert.equal(samples(generation), true, JSON.stringify(generation));
    }
    for (const generation of [{}, { temperature: 0, topP: 0.9 }, { repetitionPenalty: 1.1 }]) {
      assert.equal(samples(generation), false, JSON.stringify(generation));
    }
  });

  it('names the eos of the tokenizer first, and no roles that no token has', () => {
    const { bosTokenId: _, padTokenId: __, ...tokenizer } = SMALL_TOKENIZER;
    const fields = (other: object) => JSON.parse(text({}, { ...tokenizer, ...other }));
    assert.deepEqual(fields({ eosTokenId: 259 }), { eos_token_id: [259, 258], do_sample: false });
    assert.deepEqual(fields({ stopTokenIds: [258] }), { eos_token_id: 258, do_sample: false });
  });
});
