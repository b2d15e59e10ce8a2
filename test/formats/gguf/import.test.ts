import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { planGguf } from '../../../formats/gguf/export.ts';
import { openGguf } from '../../../formats/gguf/import.ts';
import { readGguf } from '../../../formats/gguf/reader.ts';
import type { GgufValue } from '../../../formats/gguf/types.ts';
import { type KeyValue, layoutGguf, type TensorEntry } from '../../../formats/gguf/writer.ts';
import type { Failure } from '../../../src/core/errors.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { plmTensors } from '../../../src/core/names.ts';
import { schemeOfGgmlType } from '../../../src/core/scheme.ts';
import { rowBytes, rowCount } from '../../../src/core/tensor.ts';
import { hollowModel, SMALL_PLM, SMALL_TOKENIZER } from '../../support/hollow-model.ts';
import { memorySource } from '../../support/raw-gguf.ts';
import { assertRejects } from '../../support/rejects.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** Header of a GGUF as lists that a test can change. */
interface Parts {
  readonly keys: Map<string, GgufValue>;
  readonly entries: { name: string; scheme: TensorEntry['scheme']; shape: number[] }[];
}

async function partsOf(model: Model, recipe = 'q8_0', shardSize?: number): Promise<Parts[]> {
  const plan = planGguf(model, { recipe, ...(shardSize !== undefined && { shardSize }) });
  return Promise.all(
    plan.files.map(async (file) => {
      const bytes = new Uint8Array(file.bytes);
      bytes.set(file.head[0]!.bytes);
      const { metadata, tensors } = await readGguf(memorySource(bytes));
      const entries = tensors.map(({ name, type, dims }) => {
        return { name, scheme: schemeOfGgmlType(type)!, shape: dims.toReversed() };
      });
      return { keys: new Map(metadata), entries };
    }),
  );
}

/** Bytes of a file of these parts whose data is `index % 251` at each byte. */
function bytesOf({ keys, entries }: Parts): Uint8Array {
  const layout = layoutGguf([...keys] as KeyValue[], entries);
  const bytes = Uint8Array.from({ length: layout.bytes }, (_, index) => index % 251);
  bytes.set(layout.header);
  return bytes;
}

function writeFile(folder: string, parts: Parts, name = 'model.gguf'): string {
  const file = path.join(folder, name);
  writeFileSync(file, bytesOf(parts));
  return file;
}

async function opened(t: TestContext, file: string): Promise<Model> {
  const model = await openGguf(file);
  t.after(() => closeModel(model));
  return model;
}

describe('openGguf', () => {
  it('gives back config, tokenizer, sampling and card of what was written', async (t) => {
    const source = hollowModel(SMALL_PLM, {
      generation: { temperature: 0.7, topK: 40, topP: 0.9, minP: 0.05, repetitionPenalty: 1.1 },
      card: {
        license: 'other',
        licenseName: 'mine',
        licenseLink: 'LICENSE',
        baseModels: ['PLM-Team/PLM-1.8B-Base', 'alone'],
        datasets: ['org/data/part'],
        tags: ['a', 'b'],
        languages: ['en'],
      },
    });
    const [parts] = await partsOf(source);
    const model = await opened(t, writeFile(temporaryFolder(t), parts!));
    assert.equal(model.format, 'gguf');
    assert.equal(model.name, source.name);
    assert.deepEqual(model.config, source.config);
    assert.deepEqual(model.tokenizer, source.tokenizer);
    assert.deepEqual(model.generation, source.generation);
    assert.deepEqual(model.card, source.card);
    assert.deepEqual(model.notes, []);
  });

  it('gives every tensor under its Hugging Face name with the bytes at its place', async (t) => {
    const [parts] = await partsOf(hollowModel(SMALL_PLM), 'q4_0');
    const bytes = bytesOf(parts!);
    const model = await opened(t, writeFile(temporaryFolder(t), parts!));
    assert.deepEqual(
      [...model.tensors].map(([name, { shape }]) => [name, shape]),
      plmTensors(SMALL_PLM).map(({ name, shape }) => [name, shape]),
    );
    for (const tensor of model.tensors.values()) {
      const last = rowCount(tensor) - 1;
      const row = new Uint8Array(rowBytes(tensor));
      await tensor.readRows({ first: last, count: 1 }, row);
      const start = tensor.origin.offset + last * row.length;
      assert.deepEqual(row, bytes.slice(start, start + row.length));
    }
  });

  it('opens all shards from the first', async (t) => {
    const folder = temporaryFolder(t);
    const shards = await partsOf(hollowModel(SMALL_PLM), 'q8_0', 300_000);
    assert.ok(shards.length > 2);
    const model = await opened(t, writeShards(folder, shards));
    assert.equal(model.files.length, shards.length);
    assert.equal(model.tensors.size, 20);
    const files = new Set([...model.tensors.values()].map(({ origin }) => origin.file));
    assert.deepEqual([...files].sort(), [...shards.keys()]);
  });

  it('does not normalize text where the file does not say NFC, as llama.cpp does not', async (t) => {
    const [parts] = await partsOf(hollowModel(SMALL_PLM));
    parts!.keys.delete('plmpress.tokenizer.normalizer');
    const model = await opened(t, writeFile(temporaryFolder(t), parts!));
    assert.equal(model.tokenizer.normalizer, 'none');
    assert.deepEqual(model.notes, ['text is not normalized to NFC, as in llama.cpp']);
  });

  it('reads FFN widths by layer, which llama.cpp does not', async (t) => {
    const [parts] = await partsOf(hollowModel(SMALL_PLM));
    parts!.keys.set('plm.feed_forward_length', { type: 'array', items: 'u32', value: [512, 256] });
    for (const entry of parts!.entries) {
      if (entry.name === 'blk.1.ffn_up.weight') entry.shape = [256, 256];
      if (entry.name === 'blk.1.ffn_down.weight') entry.shape = [256, 256];
    }
    const model = await opened(t, writeFile(temporaryFolder(t), parts!));
    assert.deepEqual(model.config.intermediateSizes, [512, 256]);
  });

  it('keeps unused tokens between used ones and drops those at the end', async (t) => {
    const [parts] = await partsOf(hollowModel(SMALL_PLM));
    const types = parts!.keys.get('tokenizer.ggml.token_type')!.value as number[];
    parts!.keys.set('tokenizer.ggml.token_type', {
      type: 'array',
      items: 'i32',
      value: types.with(7, 5).with(260, 5),
    });
    const { tokenizer } = await opened(t, writeFile(temporaryFolder(t), parts!));
    assert.equal(tokenizer.tokens.length, 260);
    assert.equal(tokenizer.tokens[7], SMALL_TOKENIZER.tokens[7]);
  });

  it('takes the name of the file where it has none inside', async (t) => {
    const [parts] = await partsOf(hollowModel(SMALL_PLM));
    parts!.keys.delete('general.name');
    const model = await opened(t, writeFile(temporaryFolder(t), parts!, 'plain.gguf'));
    assert.equal(model.name, 'plain');
  });
});

function writeShards(folder: string, shards: readonly Parts[]): string {
  const number = (n: number) => String(n).padStart(5, '0');
  const names = shards.map((_, i) => `m-${number(i + 1)}-of-${number(shards.length)}.gguf`);
  const paths = shards.map((parts, i) => writeFile(folder, parts, names[i]!));
  return paths[0]!;
}

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

const ROWS: readonly Row[] = [
  {
    what: 'arch llama',
    spoil: set('general.architecture', string('llama')),
    message: /"general.architecture": not supported, got "llama", expected plm/,
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
  ...['block_count', 'embedding_length', 'attention.kv_lora_rank', 'rope.dimension_count', 'vocab_size'].map(
    (key) => ({
      what: `no plm.${key}`,
      spoil: without(`plm.${key}`),
      message: new RegExp(`kv "plm.${key}": missing`),
    }),
  ),
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
    spoil: set('plm.attention.head_count', { type: 'array', items: 'u32', value: [4, 4] }),
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
    spoil: set('plm.rope.scaling.type', string('yarn')),
    message: /"plm.rope.scaling.type": not supported, got "yarn"/,
    failure: 'unsupported',
  },
  {
    what: 'an epsilon of NaN',
    spoil: set('plm.attention.layer_norm_rms_epsilon', { type: 'f32', value: Number.NaN }),
    message: /layer_norm_rms_epsilon": out of range, got "NaN"/,
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
    what: 'a base model without a name',
    spoil: set('general.base_model.count', u32(2 ** 32 - 1)),
    message: /"general.base_model.0.name": missing/,
  },
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
      message: /^m-00002.*tensor\[\d\] "output_norm.weight": the tensor stands in an earlier shard too/,
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
