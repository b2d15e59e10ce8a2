import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { GgufValue } from '../../../formats/gguf/container/types.ts';
import { openGguf } from '../../../formats/gguf/import.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { partsOf, writeFile } from '../../support/builders/gguf-parts.ts';
import { hollowModel, SMALL_PLM, SMALL_TOKENIZER } from '../../support/builders/hollow-model.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const string = (value: string): GgufValue => ({ type: 'string', value });
const f32 = (value: number): GgufValue => ({ type: 'f32', value });
const u32 = (value: number): GgufValue => ({ type: 'u32', value });
const i32 = (value: number): GgufValue => ({ type: 'i32', value });
type Keys = Readonly<Record<string, GgufValue>>;

/** The small model as a file with other keys beside its own, of which some are left out. */
async function openedWith(
  t: TestContext,
  keys: Keys,
  source: Partial<Model> = {},
  leftOut: readonly string[] = [],
): Promise<Model> {
  const [parts] = await partsOf(hollowModel(SMALL_PLM, source));
  for (const [key, value] of Object.entries(keys)) parts!.keys.set(key, value);
  for (const key of leftOut) parts!.keys.delete(key);
  const model = await openGguf(writeFile(temporaryFolder(t), parts!));
  t.after(() => closeModel(model));
  return model;
}

describe('keys of other writers', () => {
  // As llama.cpp: `none` takes no factor, a missing or 0 factor is 1, and YaRN by 1 is no scaling.
  const unscaled: Readonly<Record<string, Keys>> = {
    'type none beside a factor': { 'scaling.type': string('none'), 'scaling.factor': f32(4) },
    'linear by 1': { 'scaling.type': string('linear'), 'scaling.factor': f32(1) },
    'linear without a factor': { 'scaling.type': string('linear') },
    'a factor of 0': { 'scaling.factor': f32(0) },
    'the old key with 1': { scale_linear: f32(1) },
    'YaRN by 1': {
      'scaling.type': string('yarn'),
      'scaling.factor': f32(1),
      'scaling.original_context_length': u32(4096),
      'scaling.attn_factor': f32(1),
    },
  };
  for (const [what, keys] of Object.entries(unscaled)) {
    it(`RoPE is not scaled by ${what}`, async (t) => {
      const named = Object.entries(keys).map(([name, value]) => [`plm.rope.${name}`, value]);
      assert.deepEqual((await openedWith(t, Object.fromEntries(named))).config, SMALL_PLM);
    });
  }

  it('a file without a theta has that of llama.cpp', async (t) => {
    const { config } = await openedWith(t, {}, {}, ['plm.rope.freq_base']);
    assert.deepEqual(config, { ...SMALL_PLM, ropeTheta: 10_000 });
  });

  it('counts that llama.cpp derives may be left out, and may stand there once a layer', async (t) => {
    const [heads, keyHeads] = ['plm.attention.head_count', 'plm.attention.head_count_kv'];
    const short = await openedWith(t, {}, {}, [keyHeads!, 'plm.vocab_size']);
    assert.deepEqual(short.config, SMALL_PLM);
    const value = Array<number>(SMALL_PLM.numHiddenLayers).fill(SMALL_PLM.numAttentionHeads);
    const lists: Keys = {
      [heads!]: { type: 'array', items: 'u32', value },
      [keyHeads!]: { type: 'array', items: 'i32', value },
    };
    assert.deepEqual((await openedWith(t, lists)).config, SMALL_PLM);
  });

  it('a padding and an unknown token beyond the vocabulary are none', async (t) => {
    const keys = { padding: u32(2 ** 32 - 1), unknown: u32(2 ** 32 - 1) };
    const named = Object.entries(keys).map(([name, id]) => [`tokenizer.ggml.${name}_token_id`, id]);
    const { padTokenId, unkTokenId } = (await openedWith(t, Object.fromEntries(named))).tokenizer;
    assert.deepEqual([padTokenId, unkTokenId], [undefined, undefined]);
  });

  it('sampling defaults mean what they mean in llama.cpp, whatever the type of a number', async (t) => {
    const sampling = (keys: Keys) => {
      const named = Object.entries(keys).map(([name, value]) => [`general.sampling.${name}`, value]);
      return openedWith(t, Object.fromEntries(named), { generation: {} });
    };
    const { generation } = await sampling({ temp: f32(-1), top_k: i32(-1), top_p: f32(2), min_p: f32(-1) });
    assert.deepEqual(generation, { temperature: 0, topK: 0, topP: 1, minP: 0 });
    const other = await sampling({
      temp: { type: 'f64', value: 0.7 },
      top_k: u32(40),
      penalty_repeat: f32(1.1),
    });
    assert.deepEqual(other.generation, { temperature: 0.7, topK: 40, repetitionPenalty: 1.1 });
  });

  // Of gguf-py's metadata.py: names for people, and an address; of a source outside of the Hub the address
  // alone.
  const sources: readonly [what: string, keys: Keys, ids: readonly string[] | undefined][] = [
    [
      'an address alone',
      { '0.repo_url': string('https://github.com/me/plm') },
      ['https://github.com/me/plm'],
    ],
    [
      'names for people beside an address on the Hub',
      {
        '0.name': string('Plm 1.8B'),
        '0.organization': string('PLM Team'),
        '0.repo_url': string('https://huggingface.co/PLM-Team/PLM-1.8B'),
      },
      ['PLM-Team/PLM-1.8B'],
    ],
    ['an id', { '0.name': string('PLM-1.8B'), '0.organization': string('PLM-Team') }, ['PLM-Team/PLM-1.8B']],
    ['a count beyond what is there', { count: u32(2 ** 32 - 1), '0.name': string('a') }, ['a']],
    ['a count of another type', { count: string('1'), '0.name': string('a') }, ['a']],
    ['names of another type', { '0.name': u32(7) }, undefined],
    ['nothing but a count', {}, undefined],
  ];
  for (const kind of ['base_model', 'dataset'] as const) {
    for (const [what, keys, ids] of sources) {
      it(`${kind}: ${what}`, async (t) => {
        const all = { count: u32(1), ...keys };
        const named = Object.entries(all).map(([name, value]) => [`general.${kind}.${name}`, value]);
        const { card } = await openedWith(t, Object.fromEntries(named), { card: {} });
        assert.deepEqual(kind === 'base_model' ? card.baseModels : card.datasets, ids);
      });
    }
  }

  it('addresses are written as gguf-py writes them', async () => {
    const baseModels = ['https://github.com/me/plm', 'org/name'];
    const [parts] = await partsOf(hollowModel(SMALL_PLM, { card: { baseModels } }));
    const written = [...parts!.keys].filter(([key]) => key.startsWith('general.base_model.'));
    assert.deepEqual(written, [
      ['general.base_model.count', u32(2)],
      ['general.base_model.0.repo_url', string('https://github.com/me/plm')],
      ['general.base_model.1.name', string('name')],
      ['general.base_model.1.organization', string('org')],
    ]);
  });

  it('no model is refused for keys of its card', async (t) => {
    const odd: Keys = {
      'general.name': u32(1),
      'general.license': u32(1),
      'general.tags': string('a'),
      'general.languages': u32(1),
      'quantize.imatrix.entries_count': i32(7),
    };
    const model = await openedWith(t, odd, { card: {} });
    assert.deepEqual([model.name, model.card, model.weighed], ['model', {}, true]);
  });

  it('widths of the FFN signed, as gguf-py writes lists', async (t) => {
    const key = 'plm.feed_forward_length';
    const model = await openedWith(t, { [key]: { type: 'array', items: 'i32', value: [512, 512] } });
    assert.deepEqual(model.config.intermediateSizes, [512, 512]);
  });
});

describe('what GGUF has keys for', () => {
  const template = (name: string) => `tokenizer.chat_template.${name}`;

  it('chat templates by name, as gguf-py writes them', async (t) => {
    const namedChatTemplates = [
      { name: 'rag', template: 'R' },
      { name: 'tool_use', template: 'T' },
    ];
    const tokenizer = { ...SMALL_TOKENIZER, namedChatTemplates };
    const [parts] = await partsOf(hollowModel(SMALL_PLM, { tokenizer }));
    assert.deepEqual(parts!.keys.get(template('tool_use')), string('T'));
    assert.deepEqual(parts!.keys.get('tokenizer.chat_templates'), {
      type: 'array',
      items: 'string',
      value: ['rag', 'tool_use'],
    });
    assert.deepEqual((await openedWith(t, {}, { tokenizer })).tokenizer, tokenizer);
  });

  it('names without a template, and those that have no key, count for nothing', async (t) => {
    const names: GgufValue = {
      type: 'array',
      items: 'string',
      value: ['absent', 'default', 'a b', 'x', 'x'],
    };
    const { tokenizer } = await openedWith(t, {
      'tokenizer.chat_templates': names,
      [template('x')]: string('X'),
      [template('default')]: string('D'),
    });
    assert.deepEqual(tokenizer.namedChatTemplates, [{ name: 'x', template: 'X' }]);
  });

  it('added tokens that match normalized text', async (t) => {
    const [first, ...others] = SMALL_TOKENIZER.added;
    const tokenizer = { ...SMALL_TOKENIZER, added: [{ ...first!, normalized: true }, ...others] };
    assert.deepEqual((await openedWith(t, {}, { tokenizer })).tokenizer, tokenizer);
  });
});
