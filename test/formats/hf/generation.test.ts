import assert from 'node:assert/strict';
import test from 'node:test';
import { parseGeneration } from '../../../formats/hf/generation.ts';
import { PressError } from '../../../src/core/errors.ts';
import type { GenerationConfig } from '../../../src/core/model.ts';

type Fields = Readonly<Record<string, unknown>>;

const refusal = (message: RegExp) => (error: unknown) => {
  if (!(error instanceof PressError)) throw error;
  assert.match(error.message, message);
  assert.equal(error.failure, 'invalid-input');
  return true;
};

test('generation_config.json', async (t) => {
  const parse = (fields: Fields) => parseGeneration(JSON.stringify(fields), 'generation_config.json');
  await t.test('sampling defaults and ends', () => {
    const fields = {
      temperature: 0.7,
      top_k: 20,
      top_p: 0.9,
      min_p: 0.05,
      repetition_penalty: 1.1,
      eos_token_id: [2002, 2000],
    };
    assert.deepEqual(parse({ ...fields, do_sample: true, transformers_version: '5' }), {
      sampling: { temperature: 0.7, topK: 20, topP: 0.9, minP: 0.05, repetitionPenalty: 1.1 },
      eosTokenIds: [2002, 2000],
      notes: [],
    });
  });
  await t.test('nothing of it', () =>
    assert.deepEqual(parse({ top_p: null }), { sampling: {}, eosTokenIds: [], notes: [] }),
  );
  // Expected: GenerationConfig and `_get_logits_processor` of Transformers 5.18, with a temperature of 0 for
  // greedy.
  const ignored = 'generation_config.json: temperature, top_p ignored, because do_sample is not true';
  const asTransformers: readonly (readonly [Fields, GenerationConfig, string?])[] = [
    [{ do_sample: true }, { temperature: 1, topK: 50 }],
    [
      { do_sample: true, top_k: 7 },
      { temperature: 1, topK: 7 },
    ],
    [
      { do_sample: true, top_p: 0.9 },
      { temperature: 1, topK: 50, topP: 0.9 },
    ],
    [{ do_sample: true, temperature: 0.6 }, { temperature: 0.6 }],
    [{ do_sample: false }, { temperature: 0 }],
    [{ do_sample: false, temperature: 0.7, top_p: 0.9 }, { temperature: 0 }, ignored],
    [{ temperature: 0.7, top_p: 0.9 }, { temperature: 0 }, ignored],
    [
      { do_sample: false, repetition_penalty: 1.1 },
      { temperature: 0, repetitionPenalty: 1.1 },
    ],
    [{ repetition_penalty: 1.1 }, { repetitionPenalty: 1.1 }],
    [{ temperature: 0 }, { temperature: 0 }],
  ];
  for (const [fields, sampling, note] of asTransformers) {
    await t.test(JSON.stringify(fields), () => {
      const parsed = parse(fields);
      assert.deepEqual(parsed.sampling, sampling);
      assert.deepEqual(parsed.notes, note === undefined ? [] : [note]);
    });
  }
  const wrong: readonly (readonly [Fields, RegExp])[] = [
    [{ temperature: -1 }, /^generation_config\.json: temperature: wrong value, got -1, expected at least 0/],
    [{ temperature: '0.7' }, /temperature: wrong value, got "0\.7"/],
    [{ top_k: 1.5 }, /top_k: wrong value, got 1\.5/],
    [{ top_p: 1.5 }, /top_p: wrong value, got 1\.5, expected 0 to 1/],
    [{ min_p: -0.1 }, /min_p: wrong value, got -0\.1/],
    [{ eos_token_id: {} }, /eos_token_id: wrong value/],
    [{ do_sample: true, temperature: -1 }, /temperature: wrong value, got -1/],
    [{ temperature: 1e39 }, /temperature: wrong value, got 1e\+39, expected a number in the range of f32/],
    [{ repetition_penalty: 1e-50 }, /repetition_penalty: wrong value, got 1e-50/],
    [{ repetition_penalty: 0 }, /repetition_penalty: wrong value, got 0, expected above 0/],
    [{ repetition_penalty: -1 }, /repetition_penalty: wrong value, got -1/],
    [{ top_k: -1 }, /top_k: wrong value, got -1, expected an integer of at least 0/],
    [{ top_k: '50' }, /top_k: wrong value, got "50"/],
    [{ temperature: true }, /temperature: wrong value, got true, expected a number/],
    [{ do_sample: 'true' }, /do_sample: wrong value, got "true", expected true or false/],
    [{ eos_token_id: -1 }, /eos_token_id: wrong value, got -1/],
  ];
  for (const [fields, message] of wrong) {
    await t.test(JSON.stringify(fields), () => assert.throws(() => parse(fields), refusal(message)));
  }
  await t.test('NaN as Python writes it', () =>
    assert.throws(
      () => parseGeneration('{"temperature": NaN}', 'generation_config.json'),
      refusal(/^generation_config\.json: temperature: not valid JSON, though Python writes it, got "NaN"/),
    ),
  );
});
