import assert from 'node:assert/strict';
import test from 'node:test';
import { parseConfig } from '../../../formats/hf/config.ts';
import type { Failure } from '../../../src/core/errors.ts';
import { TINY_CONFIG } from '../../support/builders/tiny-checkpoint.ts';

type Fields = Readonly<Record<string, unknown>>;

/** The tiny config with some fields changed; those that are undefined are left out. */
const config = (changes: Fields) =>
  parseConfig(JSON.stringify({ ...TINY_CONFIG, ...changes }), 'config.json');

test('fills the defaults of the published PLMConfig', () => {
  assert.deepEqual(config({}).plm, {
    vocabSize: 2048,
    hiddenSize: 8,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    intermediateSizes: [16, 16],
    kvLoraRank: 8,
    qLoraRank: undefined,
    qkNopeHeadDim: 4,
    qkRopeHeadDim: 2,
    vHeadDim: 4,
    rmsNormEps: 1e-6,
    ropeTheta: 100_000,
    ropeInterleave: true,
    maxPositionEmbeddings: 4096,
    tieWordEmbeddings: true,
  });
});

test('null is the same as a field left out', () => {
  const optional = [
    'num_key_value_heads',
    'q_lora_rank',
    'hidden_act',
    'max_position_embeddings',
    'rms_norm_eps',
  ];
  optional.push('rope_theta', 'rope_scaling', 'rope_parameters', 'rope_interleave', 'tie_word_embeddings');
  optional.push(
    'attention_bias',
    'mlp_bias',
    'quantization_config',
    'auto_map',
    'bos_token_id',
    'pad_token_id',
  );
  assert.deepEqual(config(Object.fromEntries(optional.map((key) => [key, null]))), config({}));
});

// biome-ignore format: rows of a table
const ACCEPTED: readonly (readonly [name: string, changes: Fields, expected: Fields])[] = [
  ['low-rank query', { q_lora_rank: 4 }, { qLoraRank: 4 }],
  ['rotation of halves', { rope_interleave: false }, { ropeInterleave: false }],
  ['untied head', { tie_word_embeddings: false }, { tieWordEmbeddings: false }],
  ['a width for each layer', { intermediate_size: [16, 12] }, { intermediateSizes: [16, 12] }],
  ['other constants', { rms_norm_eps: 1e-5, rope_theta: 1e4, max_position_embeddings: 1024 }, { rmsNormEps: 1e-5, ropeTheta: 1e4, maxPositionEmbeddings: 1024 }],
  ['as many key and value heads', { num_key_value_heads: 2, hidden_act: 'relu2', attention_bias: false }, {}],
  ['dropout', { attention_dropout: 0.5 }, {}],
  ['default scaling of Transformers 4', { rope_scaling: { type: 'default' } }, {}],
  ['default scaling, newer name', { rope_scaling: { rope_type: 'default', factor: 1 } }, {}],
  ['parameters of Transformers 5', { rope_parameters: { rope_type: 'default', rope_theta: 5e4 } }, { ropeTheta: 5e4 }],
  ['theta inside of rope_scaling', { rope_scaling: { rope_type: 'default', rope_theta: 5e4 } }, { ropeTheta: 5e4 }],
  ['theta in all three places', { rope_theta: 5e4, rope_scaling: { rope_theta: 5e4 }, rope_parameters: { rope_theta: 5e4 } }, { ropeTheta: 5e4 }],
  ['parameters without type', { rope_parameters: { rope_theta: 5e4 } }, { ropeTheta: 5e4 }],
  ['parameters without anything', { rope_parameters: {}, rope_scaling: {} }, {}],
  ['parameters without type that scale by 1', { rope_scaling: { rope_theta: 5e4, factor: 1, partial_rotary_factor: 1 } }, { ropeTheta: 5e4 }],
  ['type null', { rope_parameters: { rope_type: null, type: null, rope_theta: 5e4, factor: null } }, { ropeTheta: 5e4 }],
  ['both names of the type', { rope_parameters: { rope_type: 'default', type: 'default' } }, {}],
  ['linear scaling by 1', { rope_scaling: { type: 'linear', factor: 1 } }, {}],
  ['the largest theta and the smallest epsilon of F32', { rope_theta: 3.4e38, rms_norm_eps: 1.2e-38 }, { ropeTheta: 3.4e38, rmsNormEps: 1.2e-38 }],
  ['a window that is off', { sliding_window: 128, use_sliding_window: false }, {}],
  ['a window that is null', { sliding_window: null, use_sliding_window: true }, {}],
  ['a window of every position', { sliding_window: 4096, max_position_embeddings: 1024 }, { maxPositionEmbeddings: 1024 }],
  ['layers that attend to everything', { layer_types: ['full_attention', 'full_attention'] }, {}],
  ['widths of heads as Transformers saves them', { head_dim: 2, qk_head_dim: 6 }, {}],
  ['name of the dtype in Transformers 5', { dtype: 'bfloat16' }, {}],
  ['both, equal', { rope_theta: 5e4, rope_parameters: { rope_type: 'default', rope_theta: 5e4 } }, { ropeTheta: 5e4 }],
  ['model_type absent, class known', { model_type: undefined }, {}],
  ['unknown fields', { torch_dtype: 'bfloat16', use_cache: true, anything: { at: ['all'] } }, {}],
];

test('accepts', async (t) => {
  for (const [name, changes, expected] of ACCEPTED) {
    await t.test(name, () => assert.deepEqual(config(changes).plm, { ...config({}).plm, ...expected }));
  }
  await t.test('ids of tokens', () => {
    const { bosTokenId, eosTokenIds, padTokenId } = config({
      bos_token_id: 0,
      eos_token_id: [2002, 2000],
      pad_token_id: 5,
    });
    assert.deepEqual([bosTokenId, eosTokenIds, padTokenId], [0, [2002, 2000], 5]);
    assert.deepEqual(config({ eos_token_id: null }).eosTokenIds, []);
  });
  await t.test('fields that name code, which are ignored with a note', () => {
    const code = { auto_map: { AutoModel: 'modeling_plm.PLM' }, _attn_implementation_internal: 'org/kernel' };
    assert.deepEqual(config(code).notes, [
      'config.json: auto_map ignored, no code of a model is run',
      'config.json: _attn_implementation_internal ignored, no code of a model is run',
    ]);
  });
});

const REQUIRED = [
  ...['vocab_size', 'hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads'],
  ...['kv_lora_rank', 'qk_nope_head_dim', 'qk_rope_head_dim', 'v_head_dim'],
];

type Refused = readonly [name: string, changes: Fields, message: RegExp, failure?: Failure];

// biome-ignore format: rows of a table
const REFUSED: readonly Refused[] = [
  ...REQUIRED.flatMap((key): Refused[] => [
    [`${key} missing`, { [key]: undefined }, new RegExp(`^config\\.json: ${key}: missing, expected an integer from 1 to`)],
    [`${key} null`, { [key]: null }, new RegExp(`${key}: wrong value, got null`)],
    [`${key} 0`, { [key]: 0 }, new RegExp(`${key}: wrong value, got 0`)],
    [`${key} negative`, { [key]: -1 }, new RegExp(`${key}: wrong value, got -1`)],
    [`${key} a fraction`, { [key]: 1.5 }, new RegExp(`${key}: wrong value, got 1\\.5`)],
    [`${key} a string`, { [key]: '8' }, new RegExp(`${key}: wrong value, got "8"`)],
    [`${key} 2^31`, { [key]: 2 ** 31 }, new RegExp(`${key}: wrong value, got 2147483648`)],
  ]),
  ['qk_rope_head_dim odd', { qk_rope_head_dim: 3 }, /qk_rope_head_dim: wrong value, got 3, expected an even number/],
  ['q_lora_rank 0', { q_lora_rank: 0 }, /q_lora_rank: wrong value, got 0/],
  ['widths for other layers', { intermediate_size: [16] }, /intermediate_size: wrong value, got \[16\], expected one width for each of 2 layers/],
  ['width of a layer 0', { intermediate_size: [16, 0] }, /intermediate_size\[1\]: wrong value, got 0/],
  ['rms_norm_eps 0', { rms_norm_eps: 0 }, /rms_norm_eps: wrong value, got 0, expected a positive number/],
  ['rope_theta negative', { rope_theta: -1 }, /rope_theta: wrong value, got -1/],
  ['rope_theta a string', { rope_theta: '1e5' }, /rope_theta: wrong value, got "1e5", expected a number/],
  ['rope_interleave a number', { rope_interleave: 1 }, /rope_interleave: wrong value, got 1, expected true or false/],
  ['tie_word_embeddings a string', { tie_word_embeddings: 'false' }, /tie_word_embeddings: wrong value, got "false"/],
  ['max_position_embeddings 0', { max_position_embeddings: 0 }, /max_position_embeddings: wrong value, got 0/],
  ['two values of theta', { rope_theta: 1e4, rope_parameters: { rope_type: 'default', rope_theta: 1e5 } }, /rope_parameters\.rope_theta: wrong value, got 100000, expected 10000/],
  ['theta beside and inside of rope_scaling', { rope_theta: 1e4, rope_scaling: { type: 'default', rope_theta: 1e5 } }, /rope_scaling\.rope_theta: wrong value, got 100000, expected 10000, as rope_theta says/],
  ['theta in both objects', { rope_scaling: { rope_theta: 1e4 }, rope_parameters: { rope_theta: 1e5 } }, /rope_parameters\.rope_theta: wrong value, got 100000, expected 10000, as rope_scaling\.rope_theta says/],
  ['theta that F32 takes for infinite', { rope_theta: 1e39 }, /rope_theta: wrong value, got 1e\+39, expected a positive number in the range of F32/],
  ['theta inside, infinite in F32', { rope_parameters: { rope_theta: 1e39 } }, /rope_parameters\.rope_theta: wrong value, got 1e\+39/],
  ['theta that F32 takes for 0', { rope_theta: 1e-50 }, /rope_theta: wrong value, got 1e-50/],
  ['epsilon that F32 takes for 0', { rms_norm_eps: 1e-50 }, /rms_norm_eps: wrong value, got 1e-50, expected a positive number in the range of F32/],
  ['epsilon that devices flush to 0', { rms_norm_eps: 1e-40 }, /rms_norm_eps: wrong value, got 1e-40/],
  ['epsilon that F32 takes for infinite', { rms_norm_eps: 1e39 }, /rms_norm_eps: wrong value, got 1e\+39/],
  ['width of a head that is no sum', { qk_head_dim: 8 }, /qk_head_dim: wrong value, got 8, expected 6, the sum of qk_nope_head_dim and qk_rope_head_dim/],
  ['eos_token_id negative', { eos_token_id: -1 }, /eos_token_id: wrong value, got -1/],
  ['eos_token_id a list of strings', { eos_token_id: ['x'] }, /eos_token_id\[0\]: wrong value, got "x"/],
  ['model_type a number', { model_type: 1 }, /model_type: wrong value, got 1/],

  ['model_type "llama"', { model_type: 'llama' }, /model_type: not supported, got "llama", expected plm/, 'unsupported'],
  ['neither model_type nor class', { model_type: undefined, architectures: undefined }, /model_type: not supported, got nothing/, 'unsupported'],
  ['another class', { model_type: undefined, architectures: ['LlamaForCausalLM'] }, /architectures: not supported, got \["LlamaForCausalLM"\]/, 'unsupported'],
  ['fewer key and value heads', { num_key_value_heads: 1 }, /num_key_value_heads: not supported, got 1, expected 2/, 'unsupported'],
  ['another activation', { hidden_act: 'silu' }, /hidden_act: not supported, got "silu", expected relu2/, 'unsupported'],
  ['attention biases', { attention_bias: true }, /attention_bias: not supported, got true/, 'unsupported'],
  ['FFN biases', { mlp_bias: true }, /mlp_bias: not supported, got true/, 'unsupported'],
  ['rope_scaling yarn', { rope_scaling: { type: 'yarn', factor: 4 } }, /rope_scaling\.type: not supported, got "yarn", expected default/, 'unsupported'],
  ['rope_scaling of no type, by a kind of scaling', { rope_scaling: { beta_fast: 32 } }, /rope_scaling\.type: not supported, got nothing/, 'unsupported'],
  ['two types', { rope_parameters: { rope_type: 'default', type: 'linear', factor: 4 } }, /rope_parameters\.type: not supported, got "linear"/, 'unsupported'],
  ['rope_scaling dynamic', { rope_scaling: { type: 'dynamic', factor: 2 } }, /rope_scaling\.type: not supported, got "dynamic"/, 'unsupported'],
  ['rope_scaling linear without a factor', { rope_scaling: { type: 'linear' } }, /rope_scaling\.type: not supported, got "linear"/, 'unsupported'],
  ['RoPE by kinds of layers', { rope_parameters: { full_attention: { rope_theta: 1e4 } } }, /rope_parameters\.full_attention: not supported, got .*, expected one RoPE for all layers/, 'unsupported'],
  ['half of the head rotates', { partial_rotary_factor: 0.5 }, /partial_rotary_factor: not supported, got 0\.5/, 'unsupported'],
  ['half of the head rotates, inside', { rope_parameters: { rope_theta: 1e4, partial_rotary_factor: 0.5 } }, /rope_parameters\.partial_rotary_factor: not supported, got 0\.5/, 'unsupported'],
  ['sliding window', { sliding_window: 128, use_sliding_window: true }, /sliding_window: not supported, got 128/, 'unsupported'],
  ['sliding window that nothing turns off', { sliding_window: 128 }, /sliding_window: not supported, got 128/, 'unsupported'],
  ['layers that slide', { layer_types: ['full_attention', 'sliding_attention'] }, /layer_types\[1\]: not supported, got "sliding_attention"/, 'unsupported'],
  ['rope_scaling of no type', { rope_scaling: { factor: 4 } }, /rope_scaling\.type: not supported, got nothing/, 'unsupported'],
  ['rope_parameters linear', { rope_parameters: { rope_type: 'linear', rope_theta: 1e5 } }, /rope_parameters\.rope_type: not supported, got "linear"/, 'unsupported'],
  ['rope_scaling a string', { rope_scaling: 'yarn' }, /rope_scaling: wrong value, got "yarn", expected an object/],
];

/** The tiny config with a member as text, as only Python may write it. */
const withField = (member: string) => `${JSON.stringify(TINY_CONFIG).slice(0, -1)},${member}}`;

const TEXTS: readonly (readonly [name: string, text: string, message: RegExp])[] = [
  ['empty', '', /^config\.json: line 1, column 1: not valid JSON/],
  ['array', '[]', /^config\.json: wrong value, got \[\], expected an object/],
  [
    'hidden_size 1e400',
    '{"model_type":"plm","hidden_size":1e400}',
    /^config\.json: hidden_size: number out of range, got "1e400"/,
  ],
  [
    'hidden_size 2^53 + 1',
    '{"model_type":"plm","hidden_size":9007199254740993}',
    /hidden_size: integer too large to be exact/,
  ],
  ['__proto__', '{"model_type":"plm","__proto__":{"hidden_size":8}}', /__proto__: reserved key/],
  ['duplicate', '{"model_type":"llama","model_type":"plm"}', /model_type: duplicate key/],
  ['theta NaN', withField('"rope_theta":NaN'), /rope_theta: wrong value, got NaN, expected a finite number/],
  [
    'theta in rope_parameters infinite',
    withField('"rope_parameters":{"rope_theta":Infinity}'),
    /rope_parameters\.rope_theta: wrong value, got Infinity/,
  ],
  ['a comment', '{"model_type":"plm" // here\n}', /^config\.json: line 1, column 21: not valid JSON/],
  ['a byte order mark', '\ufeff{}', /starts with a byte order mark/],
  ['200,000 levels', `{"model_type":"plm","x":${'['.repeat(200_000)}`, /nested deeper than 128 levels/],
];

function failsWith(message: RegExp, failure: Failure = 'invalid-input') {
  return (error: unknown) => {
    assert.match((error as Error).message, message);
    assert.equal((error as { failure?: unknown }).failure, failure);
    return true;
  };
}

test('reads what Python writes for numbers that JSON has none for, where nothing depends on them', () => {
  const { plm } = parseConfig(withField('"initializer_range":NaN,"x":[Infinity,-Infinity]'), 'config.json');
  assert.deepEqual(plm, config({}).plm);
});

test('notes members of RoPE that have no effect', () => {
  const rope = { rope_type: 'default', rope_theta: 1e5, factor: 4, original_max_position_embeddings: 4096 };
  assert.deepEqual(config({ rope_scaling: rope }).notes, [
    'config.json: rope_scaling.factor ignored, plain RoPE is not scaled',
  ]);
});

test('refuses, naming the field', async (t) => {
  for (const [name, changes, message, failure] of REFUSED) {
    await t.test(name, () => assert.throws(() => config(changes), failsWith(message, failure)));
  }
  for (const [name, text, message] of TEXTS) {
    await t.test(name, () => assert.throws(() => parseConfig(text, 'config.json'), failsWith(message)));
  }
});
