import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ggufPasses } from '../../../formats/gguf/architecture.ts';
import { readGguf } from '../../../formats/gguf/container/reader.ts';
import { layoutShards, siblingShardNames } from '../../../formats/gguf/container/shards.ts';
import { type KeyValue, layoutGguf } from '../../../formats/gguf/container/writer.ts';
import { type GgufOptions, planGguf } from '../../../formats/gguf/export.ts';
import type { SchemeOptions } from '../../../formats/gguf/scheme-choice.ts';
import type { PlmConfig } from '../../../src/core/config.ts';
import { PressError } from '../../../src/core/errors.ts';
import type { PlannedFile } from '../../../src/core/export-plan.ts';
import type { Imatrix } from '../../../src/core/imatrix.ts';
import type { Model } from '../../../src/core/model.ts';
import { byteLength } from '../../../src/core/tensor.ts';
import { hollowModel, PLM_1_8B, SMALL_PLM } from '../../support/builders/hollow-model.ts';
import { randomImatrix } from '../../support/builders/imatrix-files.ts';
import { memorySource } from '../../support/builders/raw-gguf.ts';
import { pressFailure } from '../../support/press-failure.ts';

const plm = hollowModel(PLM_1_8B);

function onlyFile(model: Model, recipe: string, options: SchemeOptions = {}): PlannedFile {
  const { files } = planGguf(model, { recipe, ...options });
  assert.equal(files.length, 1);
  return files[0]!;
}

const header = (file: PlannedFile) => {
  const bytes = new Uint8Array(file.bytes);
  bytes.set(file.head[0]!.bytes);
  return readGguf(memorySource(bytes));
};

describe('planGguf for PLM-1.8B', () => {
  /**
   * llama.cpp's totals of the data section, padding included, without importances; the second by its old
   * rule.
   */
  const SIZES: readonly (readonly [recipe: string, bytes: number, bytesOf2025?: number])[] = [
    ['bf16', 3_651_215_360],
    ['F16', 3_651_215_360],
    ['q8_0', 1_939_988_480],
    ['mxfp4', 1_939_988_480],
    ['q6_k', 1_497_921_536],
    ['Q5_K_M', 1_336_932_352, 1_332_475_904],
    ['q5_k_s', 1_296_824_320],
    ['q4_k_m', 1_185_413_120, 1_176_762_368],
    ['Q4_K', 1_185_413_120, 1_176_762_368],
    ['q4_k_s', 1_116_993_536, 1_115_944_960],
    ['iq4_nl', 1_115_944_960],
    ['Q4_0', 1_107_556_352],
    ['q3_k_l', 1_096_775_680, 1_079_474_176],
    ['iq4_xs', 1_070_725_120],
    ['q3_k_m', 1_009_219_584, 999_782_400],
    ['q3_k_s', 906_459_136],
    ['q2_k', 827_652_096, 820_836_352],
  ];
  for (const [recipe, bytes, bytesOf2025 = bytes] of SIZES) {
    it(`${recipe}: 290 tensors, ${bytes} bytes of data, ${bytesOf2025} by the rule of March 2025`, () => {
      const dataBytes = (file: PlannedFile) => file.bytes - file.tensors[0]!.offset;
      const file = onlyFile(plm, recipe);
      assert.deepEqual([file.tensors.length, dataBytes(file)], [290, bytes]);
      assert.equal(dataBytes(onlyFile(plm, recipe, { kvBRule: '2025-03' })), bytesOf2025);
    });
  }

  it('calls the file after the recipe, not after its alias', () => {
    assert.equal(onlyFile(plm, 'Q4_k').name, 'PLM-1.8B-Instruct-Q4_K_M.gguf');
    assert.equal(planGguf(plm, { recipe: 'Q4_k' }).target, 'gguf:q4_k_m');
  });

  it('places tensors as llama-quantize does', () => {
    const names = onlyFile(plm, 'q8_0').tensors.map(({ name }) => name);
    const layer = (n: number) =>
      [
        ...['attn_kv_a_mqa', 'attn_kv_a_norm', 'attn_kv_b', 'attn_norm', 'attn_output', 'attn_q'],
        ...['ffn_down', 'ffn_norm', 'ffn_up'],
      ].map((name) => `blk.${n}.${name}.weight`);
    assert.deepEqual(names, [
      ...['output_norm.weight', 'token_embd.weight'],
      ...Array.from({ length: 32 }, (_, n) => layer(n)).flat(),
    ]);
  });

  const TALLIES: readonly (readonly [
    recipe: string,
    options: SchemeOptions,
    tally: Record<string, number>,
  ])[] = [
    ['q4_0', {}, { F32: 97, Q6_K: 1, Q4_0: 192 }],
    ['q4_k_m', {}, { F32: 97, Q6_K: 33, Q4_K: 160 }],
    ['q4_k_m', { kvBRule: '2025-03' }, { F32: 97, Q6_K: 17, Q4_K: 176 }],
    ['q4_k_m', { pure: true }, { F32: 97, Q4_K: 193 }],
    ['f16', { tensorTypes: [{ pattern: 'ATTN_q\\.', scheme: 'Q8_0' }] }, { F32: 97, Q8_0: 32, F16: 161 }],
  ];
  for (const [recipe, options, tally] of TALLIES) {
    it(`stores ${JSON.stringify(tally)} in ${recipe} with ${JSON.stringify(options)}`, () => {
      const counted: Record<string, number> = {};
      for (const { scheme } of onlyFile(plm, recipe, options).tensors) {
        counted[scheme] = (counted[scheme] ?? 0) + 1;
      }
      assert.deepEqual(counted, tally);
    });
  }
});

describe('planGguf', () => {
  it('writes the keys of llama.cpp’s converter in its order', async () => {
    const model = hollowModel(SMALL_PLM, {
      generation: { temperature: 0.7, topP: 0.9, topK: 2 ** 40, repetitionPenalty: 1.1, minP: 0.05 },
      card: {
        license: 'apache-2.0',
        baseModels: ['PLM-Team/PLM-1.8B-Base', 'alone'],
        datasets: ['org/data'],
        tags: ['text-generation'],
        languages: ['en', 'zh'],
      },
    });
    const { metadata } = await header(onlyFile(model, 'q8_0'));
    const shown = [...metadata].map(([key, entry]) => {
      const type = entry.type === 'array' ? `${entry.items}[${entry.value.length}]` : entry.type;
      return entry.type === 'array' ? `${key} ${type}` : `${key} ${type} ${entry.value}`;
    });
    assert.deepEqual(shown, [
      'general.architecture string plm',
      'general.type string model',
      'general.sampling.top_k i32 2147483647',
      `general.sampling.top_p f32 ${Math.fround(0.9)}`,
      `general.sampling.min_p f32 ${Math.fround(0.05)}`,
      `general.sampling.temp f32 ${Math.fround(0.7)}`,
      `general.sampling.penalty_repeat f32 ${Math.fround(1.1)}`,
      'general.name string PLM-1.8B-Instruct',
      'general.size_label string 1.3M',
      'general.license string apache-2.0',
      'general.base_model.count u32 2',
      'general.base_model.0.name string PLM-1.8B-Base',
      'general.base_model.0.organization string PLM-Team',
      'general.base_model.1.name string alone',
      'general.dataset.count u32 1',
      'general.dataset.0.name string data',
      'general.dataset.0.organization string org',
      'general.tags string[1]',
      'general.languages string[2]',
      'plm.block_count u32 2',
      'plm.context_length u32 4096',
      'plm.embedding_length u32 256',
      'plm.feed_forward_length u32 512',
      'plm.attention.head_count u32 4',
      'plm.attention.head_count_kv u32 4',
      'plm.rope.freq_base f32 100000',
      `plm.attention.layer_norm_rms_epsilon f32 ${Math.fround(1e-6)}`,
      'general.file_type u32 7',
      'plm.vocab_size u32 512',
      'plm.attention.kv_lora_rank u32 256',
      'plm.attention.key_length u32 64',
      'plm.attention.value_length u32 64',
      'plm.rope.dimension_count u32 16',
      'general.quantization_version u32 2',
      'tokenizer.ggml.model string gpt2',
      'tokenizer.ggml.pre string qwen2',
      'tokenizer.ggml.tokens string[512]',
      'tokenizer.ggml.token_type i32[512]',
      'tokenizer.ggml.merges string[2]',
      'tokenizer.ggml.bos_token_id u32 258',
      'tokenizer.ggml.eos_token_id u32 258',
      'tokenizer.ggml.eot_token_id u32 259',
      'tokenizer.ggml.padding_token_id u32 258',
      'tokenizer.ggml.add_bos_token bool false',
      'tokenizer.chat_template string {{ messages }}\n{# kept as it is #}',
      'plmpress.tokenizer.normalizer string NFC',
    ]);
  });

  it('names rows without a token [PAD…] and gives every token its type', async () => {
    const { metadata } = await header(onlyFile(hollowModel(SMALL_PLM), 'f32'));
    const tokens = metadata.get('tokenizer.ggml.tokens')!.value as string[];
    const types = metadata.get('tokenizer.ggml.token_type')!.value as number[];
    assert.deepEqual(tokens.slice(257, 263), [
      ...['the', '<|endoftext|>', '<|im_end|>', '<tool>', '[PAD261]', '[PAD262]'],
    ]);
    assert.deepEqual(types.slice(257, 263), [1, 3, 3, 4, 5, 5]);
  });

  const NAMES: readonly (readonly [name: string, file: string])[] = [
    ['org/My Model', 'org-My-Model-F32.gguf'],
    ['../../etc/passwd', 'etc-passwd-F32.gguf'],
    ['a\u0000b\u001b[2J', 'a-b-2J-F32.gguf'],
    ['模型 1', '模型-1-F32.gguf'],
    ['', 'model-F32.gguf'],
    ['...', 'model-F32.gguf'],
    ['é'.repeat(200), `${'é'.repeat(75)}-F32.gguf`],
  ];
  for (const [name, file] of NAMES) {
    it(`calls a model named ${JSON.stringify(name.slice(0, 20))} ${file.slice(0, 24)}`, () => {
      assert.equal(onlyFile(hollowModel(SMALL_PLM, { name }), 'f32').name, file);
    });
  }

  it('takes a scheme of smaller blocks where a row is not a whole number of blocks, and says so', () => {
    // Rows of 288 hold blocks of 32 but not of 256; rows of 48 hold neither.
    const config = { ...SMALL_PLM, hiddenSize: 288, kvLoraRank: 48 };
    const plan = planGguf(hollowModel(config), { recipe: 'q4_0' });
    const reason = (columns: number, scheme: string) =>
      `a row of ${columns} weights is not a whole number of ${scheme} blocks`;
    assert.deepEqual(plan.fallbacks, [
      {
        tensor: 'model.embed_tokens.weight',
        wanted: 'Q6_K',
        used: 'Q8_0',
        reason: reason(288, 'Q6_K'),
      },
      ...[0, 1].map((layer) => ({
        tensor: `model.layers.${layer}.self_attn.kv_b_proj.weight`,
        wanted: 'Q4_0',
        used: 'F16',
        reason: reason(48, 'Q4_0'),
      })),
    ]);
  });
});

describe('planGguf with importances', () => {
  const imatrix = randomImatrix(SMALL_PLM);
  const Q6: SchemeOptions = { tokenEmbedding: 'Q6_K', tensorTypes: [{ pattern: 'attn_q', scheme: 'F16' }] };
  const plan = (changes: Partial<Imatrix> = {}, options: Partial<GgufOptions> = {}) =>
    planGguf(hollowModel(SMALL_PLM), {
      recipe: 'q8_0',
      imatrix: { ...imatrix, ...changes },
      ...options,
    });

  it('gives them to the tensors that round, by their names', async () => {
    for (const { name, scheme, importance } of plan({}, Q6).files[0]!.tensors) {
      const expected = scheme === 'Q8_0' ? imatrix.entries.get(name) : undefined;
      assert.equal(await importance?.values(), expected, name);
    }
  });

  it('gives none to tensors that are stored as they are', () => {
    const model = hollowModel(SMALL_PLM, {}, 'Q8_0');
    const [file] = planGguf(model, { recipe: 'q8_0', imatrix, allowRequantize: true }).files;
    assert.ok(file!.tensors.every(({ importance }) => importance === undefined));
  });

  it('uses those of the embedding if there are any', async () => {
    const embedding = new Float32Array(256).fill(2);
    const tensors = plan({ entries: new Map([['token_embd.weight', embedding]]) }).files[0]!.tensors;
    const { importance } = tensors.find(({ name }) => name === 'token_embd.weight')!;
    assert.equal(await importance?.values(), embedding);
  });

  it('writes the keys of llama-quantize, with a name in place of a path', async () => {
    const { metadata } = await header(plan().files[0]!);
    assert.deepEqual([...metadata].slice(-4), [
      ['quantize.imatrix.file', { type: 'string', value: 'plm.imatrix.gguf' }],
      ['quantize.imatrix.dataset', { type: 'string', value: 'calibration.txt' }],
      ['quantize.imatrix.entries_count', { type: 'u32', value: 12 }],
      ['quantize.imatrix.chunks_count', { type: 'u32', value: 7 }],
    ]);
    const bare = await header(plan({ datasets: [], chunks: undefined }).files[0]!);
    assert.deepEqual(
      [...bare.metadata.keys()].filter((key) => key.startsWith('quantize.')),
      ['quantize.imatrix.file', 'quantize.imatrix.entries_count'],
    );
  });

  it('tells what it does not use and what it lacks', () => {
    const entries = new Map(imatrix.entries);
    for (const name of [
      'token_embd.weight',
      'blk.9.attn_q.weight',
      'output.weight',
      'blk.0.attn_norm.weight',
    ]) {
      entries.set(name, Float32Array.of(1));
    }
    entries.delete('blk.1.ffn_up.weight');
    assert.deepEqual(plan({ entries, notes: ['as read'] }).notes, [
      'as read',
      'plm.imatrix.gguf: token_embd.weight has 1 value for 256 columns: not used',
      'plm.imatrix.gguf: the model has no matrices for these entries: blk.9.attn_q.weight, output.weight, blk.0.attn_norm.weight',
      'plm.imatrix.gguf has no importances for blk.1.ffn_up.weight',
    ]);
    assert.deepEqual(plan().notes, []);
  });

  it('refuses those of another model (exit 3) and names three', () => {
    const entries = new Map([...imatrix.entries].map(([name]) => [name, new Float32Array(7)]));
    assert.throws(
      () => plan({ entries }),
      pressFailure(
        'invalid-input',
        /^plm\.imatrix\.gguf: entries of another model: blk\.0\.attn_q\.weight \(7 for 256 columns\), .* and 9 more$/,
      ),
    );
  });

  it('stores a recipe that needs them, but refuses a tensor that has none (exit 7)', () => {
    const schemes = plan({}, { recipe: 'q2_k_s' }).files[0]!.tensors.map(({ scheme }) => scheme);
    assert.ok(schemes.includes('Q2_K'));
    const entries = new Map(imatrix.entries);
    entries.delete('blk.1.ffn_down.weight');
    assert.throws(
      () => plan({ entries }, { recipe: 'q2_k_s' }),
      pressFailure('unsupported', /^tensor "blk\.1\.ffn_down\.weight": Q2_K without importances/),
    );
    const tensorTypes = [{ pattern: 'blk\\.1\\.ffn_down', scheme: 'Q3_K' }] as const;
    assert.equal(plan({ entries }, { recipe: 'q2_k_s', tensorTypes }).notes.length, 1);
  });
});

describe('planGguf refuses', () => {
  const config = (changes: Partial<PlmConfig>) => hollowModel({ ...SMALL_PLM, ...changes });
  const ROWS: readonly [what: string, model: Model, message: RegExp][] = [
    [
      'an untied head',
      config({ tieWordEmbeddings: false }),
      /tie_word_embeddings: GGUF arch plm has no output .*; --pass dedupe-tensors ties a head/,
    ],
    ['q_lora_rank', config({ qLoraRank: 64 }), /q_lora_rank: GGUF arch plm has no low-rank query/],
    [
      'a bias of down_proj',
      config({ ffnBias: true }),
      /down_proj_bias: GGUF arch plm has no place for a bias/,
    ],
    [
      'widths by layer',
      config({ intermediateSizes: [512, 256] }),
      /intermediate_size: GGUF arch plm has one/,
    ],
    [
      '513 layers',
      config({ numHiddenLayers: 513, intermediateSizes: Array<number>(513).fill(512) }),
      /num_hidden_layers: GGUF arch plm has at most 512 layers/,
    ],
    [
      'a premultiplied kv_b_proj',
      config({ kvBForm: 'premultiplied' }),
      /kv_b_proj: GGUF arch plm stores it, but this model has it in other matrices; leave out absorb-mla:form=premultiplied/,
    ],
    [
      'half-split rope',
      config({ ropeInterleave: false }),
      /rope_interleave: .* run the pass permute-rope first/,
    ],
  ];
  for (const [what, model, message] of ROWS) {
    it(`${what} (exit 7)`, () => {
      assert.throws(() => planGguf(model, { recipe: 'f32' }), failure(7, message));
    });
  }

  it('a fallback with strict (exit 7)', () => {
    const plan = () => planGguf(config({ hiddenSize: 288 }), { recipe: 'q4_0', strict: true });
    assert.throws(
      plan,
      failure(7, /embed_tokens.weight.*cannot be stored as Q6_K and --strict forbids Q8_0/),
    );
  });

  it('a quantized source that would change its scheme (exit 7), unless that is allowed', () => {
    const model = hollowModel(SMALL_PLM, {}, 'Q4_0');
    assert.throws(
      () => planGguf(model, { recipe: 'q8_0' }),
      failure(
        7,
        /^tensor "token_embd\.weight": requantizing from Q4_0 to Q8_0 .*--allow-requantize accepts that$/,
      ),
    );
    assert.throws(() => planGguf(model, { recipe: 'f16' }), failure(7, /requantizing from Q4_0 to F16/));
    // F32 holds what blocks decode to.
    planGguf(model, { recipe: 'f32' });
    planGguf(model, { recipe: 'q8_0', allowRequantize: true });
    planGguf(hollowModel(SMALL_PLM, {}, 'F16'), { recipe: 'q8_0' });
  });

  it('a recipe that is useless without importances (exit 7)', () => {
    const plan = () => planGguf(hollowModel(SMALL_PLM), { recipe: 'q2_k_s' });
    assert.throws(
      plan,
      failure(7, /^tensor "blk\.0\.attn_q\.weight": Q2_K without importances .*give them with --imatrix$/),
    );
  });

  it('a tensor type whose pattern is not a regular expression (exit 2)', () => {
    const tensorTypes = [{ pattern: '(', scheme: 'Q8_0' }] as const;
    const plan = () => planGguf(hollowModel(SMALL_PLM), { recipe: 'q8_0', tensorTypes });
    assert.throws(plan, failure(2, /^"\(" is not a regular expression: missing closing \)/));
  });

  it('an unknown recipe (exit 2) with the names of all', () => {
    const plan = () => planGguf(hollowModel(SMALL_PLM), { recipe: 'q9_9' });
    assert.throws(plan, failure(2, /unknown GGUF recipe "q9_9", expected f32, f16, bf16, q8_0, q6_k, /));
  });

  function failure(exitCode: number, message: RegExp) {
    return (error: unknown) => {
      assert.ok(error instanceof PressError, String(error));
      assert.equal(error.exitCode, exitCode);
      assert.match(error.message, message);
      return true;
    };
  }
});

describe('ggufPasses', () => {
  it('asks for permute-rope where rope is half-split, and for nothing else', () => {
    assert.deepEqual(ggufPasses(hollowModel({ ...SMALL_PLM, ropeInterleave: false })), ['permute-rope']);
    assert.deepEqual(ggufPasses(hollowModel(SMALL_PLM)), []);
  });
});

describe('planGguf with shards', () => {
  const shardSize = 1_000_000;
  const plan = planGguf(hollowModel(SMALL_PLM, { name: 'm' }), { recipe: 'f32', shardSize });

  it('names them as llama.cpp’s loader requires', () => {
    const names = plan.files.map(({ name }) => name);
    assert.equal(names[0], `m-F32-00001-of-0000${names.length}.gguf`);
    assert.deepEqual(siblingShardNames(names.at(-1)!), names);
    assert.equal(siblingShardNames('m-F32.gguf'), undefined);
  });

  it('fills each up to the size and holds every tensor once, in order', () => {
    assert.ok(plan.files.length > 3);
    for (const file of plan.files) assert.ok(file.bytes <= shardSize, `${file.name} has ${file.bytes} bytes`);
    const whole = onlyFile(hollowModel(SMALL_PLM), 'f32');
    assert.deepEqual(
      plan.files.flatMap(({ tensors }) => tensors.map(({ name }) => name)),
      whole.tensors.map(({ name }) => name),
    );
  });

  it('exceeds no size by a byte, wherever that falls', () => {
    const metadata: KeyValue[] = [['a', { type: 'string', value: 'b' }]];
    const entries = Array.from({ length: 12 }, (_, i) => {
      return { name: `t${i}`, scheme: 'F32', shape: [3, 5 + i] } as const;
    });
    for (let size = 700; size < 1000; size++) {
      const shards = layoutShards(metadata, entries, size);
      assert.ok(shards.some((shard) => shard.entries.length > 1));
      for (const shard of shards.filter((each) => each.entries.length > 1))
        assert.ok(layoutGguf(shard.metadata, shard.entries).bytes <= size, `${size}`);
    }
  });

  it('makes each complete in itself, with the model’s keys in the first only', async () => {
    for (const [index, file] of plan.files.entries()) {
      const { metadata, tensors } = await header(file);
      assert.deepEqual(metadata.get('split.no'), { type: 'u16', value: index });
      assert.deepEqual(metadata.get('split.count'), { type: 'u16', value: plan.files.length });
      assert.deepEqual(metadata.get('split.tensors.count'), { type: 'i32', value: 20 });
      assert.equal(metadata.has('general.architecture'), index === 0);
      if (index > 0) assert.equal(metadata.size, 3);
      assert.deepEqual(
        tensors.map(({ name, offset }) => [name, offset]),
        file.tensors.map(({ name, offset }) => [name, offset]),
      );
      const last = file.tensors.at(-1)!;
      assert.ok(last.offset + byteLength({ ...last, shape: last.source.shape }) <= file.bytes);
    }
  });

  it('lets a tensor larger than the size have a file of its own', () => {
    const { files } = planGguf(hollowModel(SMALL_PLM), { recipe: 'f32', shardSize: 1 });
    assert.deepEqual(
      files.map(({ tensors }) => tensors.length),
      Array<number>(20).fill(1),
    );
  });
});
