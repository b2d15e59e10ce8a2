import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { GgufValue } from '../../../formats/gguf/container/types.ts';
import { openGguf } from '../../../formats/gguf/import.ts';
import type { Failure } from '../../../src/core/errors.ts';
import { bytesOf, type Parts, partsOf, writeFile, writeShards } from '../../support/builders/gguf-parts.ts';
import { hollowModel, SMALL_PLM, SMALL_TOKENIZER } from '../../support/builders/hollow-model.ts';
import { assertRejects } from '../../support/rejects.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

interface Row {
  readonly what: string;
  readonly spoil: (parts: Parts) => void;
  readonly message: RegExp;
  readonly failure?: Failure;
}

const set = (key: string, value: GgufValue) => (parts: Parts) => void parts.keys.set(key, value);
const without = (key: string) => (parts: Parts) => void parts.keys.delete(key);
const u32 = (value: number): GgufValue => ({ type: 'u32', value });
const string = (value: string): GgufValue => ({ type: 'string', value });
const strings = (value: readonly string[]): GgufValue => ({ type: 'array', items: 'string', value });
const texts = Array.from({ length: 512 }, (_, id) => SMALL_TOKENIZER.tokens[id] ?? `[PAD${id}]`);

/** Keys of RoPE scaling by their names; `scale_linear` is older than the others. */
function rope(values: Readonly<Record<string, number | string>>) {
  return (parts: Parts) => {
    for (const [name, value] of Object.entries(values)) {
      const key = name === 'scale_linear' ? `plm.rope.${name}` : `plm.rope.scaling.${name}`;
      parts.keys.set(key, typeof value === 'string' ? string(value) : { type: 'f32', value });
    }
  };
}

const scaled = (what: string, values: Parameters<typeof rope>[0], message: RegExp): Row[] => [
  { what, spoil: rope(values), message, failure: 'unsupported' },
];

const ROWS: readonly Row[] = [
  {
    what: 'arch llama',
    spoil: set('general.architecture', string('llama')),
    message: /"general.architecture": not supported, got "llama", expected plm or deepseek2/,
    failure: 'unsupported',
  },
  {
    what: 'no architecture',
    spoil: without('general.architecture'),
    message: /kv "general.architecture": missing/,
  },
  {
    what: 'an imatrix',
    spoil: (parts) => {
      parts.keys.set('general.type', string('imatrix'));
      parts.keys.delete('general.architecture');
    },
    message: /"general.type": not supported, got "imatrix"/,
    failure: 'unsupported',
  },
  {
    what: 'an architecture that is not a string',
    spoil: set('general.architecture', u32(1)),
    message: /kv\[0\] "general.architecture": value type, got "u32", expected string/,
  },
  {
    what: 'a vocabulary without tensors',
    spoil: (parts) => void parts.entries.splice(0),
    message: /a vocabulary without tensors/,
    failure: 'unsupported',
  },
  ...['block_count', 'embedding_length', 'attention.kv_lora_rank', 'rope.dimension_count'].map((key) => ({
    what: `no plm.${key}`,
    spoil: without(`plm.${key}`),
    message: new RegExp(`kv "plm.${key}": missing`),
  })),
  {
    what: 'block_count 0',
    spoil: set('plm.block_count', u32(0)),
    message: /kv\[\d+\] "plm.block_count": out of range, got 0, expected at least 1/,
  },
  {
    what: 'block_count 513',
    spoil: set('plm.block_count', u32(513)),
    message: /"plm.block_count": not supported, got 513, expected at most 512/,
    failure: 'unsupported',
  },
  {
    what: 'block_count 3 with tensors for 2 layers',
    spoil: set('plm.block_count', u32(3)),
    message: /tensor "blk.2.attn_norm.weight": missing/,
  },
  {
    what: 'block_count 1 with tensors for 2 layers',
    spoil: set('plm.block_count', u32(1)),
    message: /tensor "blk.1..*": arch plm has no such tensor/,
    failure: 'unsupported',
  },
  {
    what: 'a head count for each layer',
    spoil: set('plm.attention.head_count', { type: 'array', items: 'u32', value: [4, 2] }),
    message: /head_count": not supported, got "an array"/,
    failure: 'unsupported',
  },
  {
    what: 'fewer key heads',
    spoil: set('plm.attention.head_count_kv', u32(2)),
    message: /head_count_kv": not supported, got 2/,
    failure: 'unsupported',
  },
  {
    what: 'an odd rope dimension',
    spoil: set('plm.rope.dimension_count', u32(15)),
    message: /"plm.rope.dimension_count": odd, got 15/,
  },
  {
    what: 'keys no longer than their rope part',
    spoil: set('plm.attention.key_length', u32(16)),
    message: /"plm.attention.key_length": out of range, got 16, expected at least 17/,
  },
  {
    what: 'scaled rope',
    spoil: set('plm.rope.scaling.type', string('su')),
    message: /"plm.rope.scaling.type": not supported, got "su"/,
    failure: 'unsupported',
  },
  {
    what: 'an epsilon of NaN',
    spoil: set('plm.attention.layer_norm_rms_epsilon', { type: 'f32', value: Number.NaN }),
    message: /layer_norm_rms_epsilon": out of range, got "NaN"/,
  },
  {
    what: 'an FFN width below 1',
    spoil: set('plm.feed_forward_length', { type: 'array', items: 'i32', value: [512, -1] }),
    message: /"plm.feed_forward_length": out of range, got -1, expected at least 1/,
  },
  {
    what: 'an FFN width for one layer of two',
    spoil: set('plm.feed_forward_length', { type: 'array', items: 'u32', value: [512] }),
    message: /"plm.feed_forward_length": widths, got 1, expected 2/,
  },
  {
    what: 'a width that the tensors do not have',
    spoil: set('plm.feed_forward_length', u32(256)),
    message: /tensor "blk.0.ffn_up.weight": shape, got \[512,256\], expected \[256, 256\] by the metadata/,
  },
  {
    what: 'an output matrix',
    spoil: (parts) => void parts.entries.push({ name: 'output.weight', scheme: 'F32', shape: [512, 256] }),
    message: /tensor "output.weight": arch plm has no such tensor/,
    failure: 'unsupported',
  },
  {
    what: 'the tokenizer of Llama',
    spoil: set('tokenizer.ggml.model', string('llama')),
    message: /"tokenizer.ggml.model": unknown tokenizer, got "llama", expected gpt2/,
    failure: 'unsupported',
  },
  {
    what: 'another pre-tokenizer',
    spoil: set('tokenizer.ggml.pre', string('llama-bpe')),
    message: /"tokenizer.ggml.pre": unknown tokenizer, got "llama-bpe", expected qwen2/,
    failure: 'unsupported',
  },
  {
    what: 'tokens fewer than the vocabulary',
    spoil: set('tokenizer.ggml.tokens', strings(texts.slice(1))),
    message: /"tokenizer.ggml.tokens": array length, got 511, expected the vocabulary size, 512/,
  },
  {
    what: 'tokens of numbers',
    spoil: set('tokenizer.ggml.tokens', { type: 'array', items: 'u8', value: [1] }),
    message: /"tokenizer.ggml.tokens": value type, got "array of u8", expected array of string/,
  },
  {
    what: 'token type 9',
    spoil: set('tokenizer.ggml.token_type', {
      type: 'array',
      items: 'i32',
      value: Array<number>(512).fill(9),
    }),
    message: /"tokenizer.ggml.token_type": type of token 0, got 9/,
  },
  {
    what: 'an eos beyond the tokens',
    spoil: set('tokenizer.ggml.eos_token_id', u32(261)),
    message: /"tokenizer.ggml.eos_token_id": not in the vocabulary, got 261, expected below 261/,
  },
  {
    what: 'a merge of three tokens',
    spoil: set('tokenizer.ggml.merges', strings(['t h', 't h e'])),
    message: /"tokenizer.ggml.merges": merge 1, got "t h e"/,
  },
  {
    what: 'the same token twice',
    spoil: set('tokenizer.ggml.tokens', strings(texts.with(1, texts[0]!))),
    message: /"tokenizer.ggml.tokens": tokens 0 and 1 are the same/,
  },
  {
    what: 'an unknown normalizer',
    spoil: set('plmpress.tokenizer.normalizer', string('NFKC')),
    message: /normalizer": unknown normalizer, got "NFKC"/,
  },
  {
    what: 'an eos after every text',
    spoil: set('tokenizer.ggml.add_eos_token', { type: 'bool', value: true }),
    message: /"tokenizer.ggml.add_eos_token": not supported, got true/,
    failure: 'unsupported',
  },
  {
    what: 'no merges, though tokens have several bytes',
    spoil: set('tokenizer.ggml.merges', strings([])),
    message: /"tokenizer.ggml.merges": no merges, though token \d+ has several bytes/,
  },
  // As llama.cpp scales: linearly where no type is said (load_hparams of llama-model.cpp).
  ...scaled(
    'a factor without a type',
    { factor: 4 },
    /scaling.factor": not supported, got "linear scaling by 4"/,
  ),
  ...scaled(
    'the old key of a factor',
    { scale_linear: 2 },
    /rope.scale_linear": not supported, got "linear scaling by 2"/,
  ),
  ...scaled('YaRN by 4', { type: 'yarn', factor: 4 }, /got "yarn scaling by 4", expected a factor of 1/),
  ...scaled('LongRoPE', { type: 'longrope', factor: 1 }, /scaling.type": not supported, got "longrope"/),
  ...scaled('scaled attention', { type: 'none', attn_factor: 2 }, /attn_factor": not supported, got "2"/),
  ...scaled('a factor of NaN', { factor: Number.NaN }, /got "linear scaling by NaN"/),
  ...(
    [
      ['rope.freq_base', Infinity],
      ['rope.freq_base', 0],
      ['rope.freq_base', -1],
      ['attention.layer_norm_rms_epsilon', 0],
      ['attention.layer_norm_rms_epsilon', Infinity],
    ] as const
  ).map(([key, value]) => ({
    what: `${key} ${value}`,
    spoil: set(`plm.${key}`, { type: 'f32', value }),
    message: new RegExp(`"plm.${key}": out of range, got "${value}", expected a positive number`),
  })),
  ...(
    [
      ['temp', Number.NaN],
      ['temp', Infinity],
      ['top_p', -0.5],
      ['min_p', 2],
      ['penalty_repeat', 0],
      ['penalty_repeat', Number.NaN],
      ['top_k', 1.5],
    ] as const
  ).map(([key, value]) => ({
    what: `${key} ${value}`,
    spoil: set(`general.sampling.${key}`, { type: 'f32', value }),
    message: new RegExp(`"general.sampling.${key}": out of range, got "${value}"`),
  })),
];

describe('openGguf refuses', () => {
  for (const { what, spoil, message, failure } of ROWS) {
    it(`${what} (${failure ?? 'invalid-input'})`, async (t) => {
      const folder = temporaryFolder(t);
      const [parts] = await partsOf(hollowModel(SMALL_PLM));
      spoil(parts!);
      const file = writeFile(folder, parts!);
      await assertRejects(folder, () => openGguf(file), { message, ...(failure && { failure }) });
    });
  }

  it('a ggml type that does not hold weights (unsupported)', async (t) => {
    const folder = temporaryFolder(t);
    const [parts] = await partsOf(hollowModel(SMALL_PLM), 'f32');
    const bytes = Buffer.from(bytesOf(parts!));
    // The type of the first tensor follows its name, rank and dimension; I32 has the size of F32.
    const name = bytes.indexOf('output_norm.weight') + 'output_norm.weight'.length;
    bytes.writeUInt32LE(26, name + 4 + 8);
    const file = path.join(folder, 'model.gguf');
    writeFileSync(file, bytes);
    const message = /tensor "output_norm.weight": ggml type, got 26/;
    await assertRejects(folder, () => openGguf(file), { message, failure: 'unsupported' });
  });

  it('a missing file', async (t) => {
    const folder = temporaryFolder(t);
    const message = /no-such.gguf: missing/;
    await assertRejects(folder, () => openGguf(path.join(folder, 'no-such.gguf')), { message });
  });
});

describe('openGguf refuses shards', () => {
  const SHARDS: readonly {
    readonly what: string;
    readonly message: RegExp;
    readonly spoil: (shards: Parts[]) => void;
    /** Runs after the files are written; returns the file to open. */
    readonly after?: (folder: string, first: string) => string;
  }[] = [
    {
      what: 'of which the second is missing',
      spoil: () => {},
      after: (folder, first) => {
        rmSync(path.join(folder, path.basename(first).replace('00001-of', '00002-of')));
        return first;
      },
      message: /^m-00002-of-0000\d.gguf: missing/,
    },
    {
      what: 'from the second',
      spoil: () => {},
      after: (_, first) => first.replace('00001-of', '00002-of'),
      message: /"split.no": not the first shard of a split model/,
    },
    {
      what: 'whose name says another count',
      spoil: ([first]) => void first!.keys.set('split.count', { type: 'u16', value: 9 }),
      message:
        /"split.count": the file name does not fit, got "m-00001-of-.*expected <name>-00001-of-00009.gguf/,
    },
    {
      what: 'of another split',
      spoil: ([, second]) => void second!.keys.set('split.count', { type: 'u16', value: 9 }),
      message: /^m-00002.*"split.no": shard number, got "1 of 9"/,
    },
    {
      what: 'in the wrong places',
      spoil: ([, second]) => void second!.keys.set('split.no', { type: 'u16', value: 2 }),
      message: /"split.no": shard number, got "2 of/,
    },
    {
      what: 'that lack a tensor',
      spoil: ([, second]) => void second!.entries.pop(),
      message: /"split.tensors.count": tensors in all shards, got 19, expected 20/,
    },
    {
      what: 'that hold a tensor twice',
      spoil: ([first, second]) => {
        second!.entries.pop();
        second!.entries.push(first!.entries[0]!);
      },
      message: /^m-00002.*tensor\[\d\] "output_norm.weight": the tensor is also in an earlier shard/,
    },
  ];
  for (const { what, spoil, after, message } of SHARDS) {
    it(what, async (t) => {
      const folder = temporaryFolder(t);
      const shards = await partsOf(hollowModel(SMALL_PLM), 'q8_0', 300_000);
      spoil(shards);
      const first = writeShards(folder, shards);
      const file = after?.(folder, first) ?? first;
      await assertRejects(folder, () => openGguf(file), { message });
    });
  }
});
