import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Failure } from '../../src/core/errors.ts';
import { neededFiles } from '../../src/pipeline/sources/needed-files.ts';
import { pressFailure } from '../support/press-failure.ts';

const listed = (names: readonly string[]) => names.map((path) => ({ path }));
const BASICS = ['config.json', 'tokenizer.json', 'tokenizer_config.json'];
const SHARDS = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
const GRAPHS = ['onnx/model_q4.onnx', 'onnx/model_q4.onnx_data'];
const BUNDLE = ['webgpu/index.html', 'webgpu/manifest.json', 'webgpu/w-0123456789abcdef.bin'];

interface Case {
  readonly name: string;
  readonly files: readonly string[];
  readonly path?: string;
  readonly needed: readonly string[];
  /** Where the model is; left out: as `path`. */
  readonly at?: string;
  readonly graphs?: readonly string[];
}

const CASES: readonly Case[] = [
  {
    name: 'a checkpoint, without what lies beside it',
    files: [
      ...BASICS,
      'README.md',
      'model.safetensors',
      'a.png',
      'pytorch_model.bin',
      'x/model.safetensors',
      ...GRAPHS,
    ],
    needed: [...BASICS, 'README.md', 'model.safetensors'],
  },
  {
    name: 'a tokenizer in parts, and further chat templates',
    files: [
      'config.json',
      'vocab.json',
      'merges.txt',
      'model.safetensors',
      'additional_chat_templates/tool.jinja',
      'x/y',
    ],
    needed: [
      'config.json',
      'vocab.json',
      'merges.txt',
      'model.safetensors',
      'additional_chat_templates/tool.jinja',
    ],
  },
  {
    name: 'the parts of a tokenizer that is there as a whole are not needed',
    files: [...BASICS, 'vocab.json', 'merges.txt', 'model.safetensors'],
    needed: [...BASICS, 'model.safetensors'],
  },
  {
    name: 'shards with their index',
    files: [...BASICS, 'model.safetensors.index.json', ...SHARDS, 'optimizer.bin'],
    needed: [...BASICS, 'model.safetensors.index.json', ...SHARDS],
  },
  {
    name: 'files of PyTorch where there is nothing else',
    files: [...BASICS, 'pytorch_model.bin', 'training_args.bin'],
    needed: [...BASICS, 'pytorch_model.bin'],
  },
  { name: 'the only GGUF', files: ['a.gguf', 'README.md'], needed: ['a.gguf'], at: 'a.gguf' },
  {
    name: 'all shards of a GGUF, and the record',
    files: ['a-00001-of-00002.gguf', 'a-00002-of-00002.gguf', 'plmpress.json'],
    needed: ['a-00001-of-00002.gguf', 'a-00002-of-00002.gguf', 'plmpress.json'],
    at: 'a-00001-of-00002.gguf',
  },
  {
    name: 'the GGUF beside files that come with it',
    files: ['a.GGUF', 'a-imatrix.gguf', 'imatrix.gguf', 'mmproj-a.gguf', 'a-mtp.gguf', '._a.gguf'],
    needed: ['a.GGUF'],
    at: 'a.GGUF',
  },
  { name: 'one of several GGUF', files: ['a.gguf', 'b.gguf'], path: 'b.gguf', needed: ['b.gguf'] },
  {
    name: 'a GGUF in a folder',
    files: ['s/a.gguf', 'b.gguf'],
    path: 's',
    needed: ['s/a.gguf'],
    at: 's/a.gguf',
  },
  {
    name: 'a graph with config and tokenizer',
    files: [...BASICS, ...GRAPHS, 'other/x.bin'],
    needed: [...BASICS, ...GRAPHS],
  },
  {
    name: 'one graph by name',
    files: [...BASICS, ...GRAPHS, 'other/x.bin'],
    path: 'onnx/model_q4.onnx',
    needed: [...BASICS, ...GRAPHS],
  },
  {
    name: 'one graph by name, without the others and their weights, and without other models',
    files: [
      ...BASICS,
      ...GRAPHS,
      ...['onnx/model_q4.onnx_data_1', 'onnx/model.onnx', 'onnx/model.onnx_data', 'onnx/shared.bin'],
      ...['model.safetensors', 'a.gguf', 'other/model_q4.onnx'],
    ],
    path: 'onnx/model_q4.onnx',
    needed: [...BASICS, ...GRAPHS, 'onnx/model_q4.onnx_data_1', 'onnx/shared.bin'],
  },
  {
    name: 'a graph by its second name, whose weights have the first',
    files: [
      'onnx/model.onnx',
      'onnx/model_quantized.onnx',
      'onnx/model_quantized.onnx_data',
      'onnx/model_q8.onnx',
    ],
    path: 'onnx/model_q8.onnx',
    needed: ['onnx/model_quantized.onnx', 'onnx/model_quantized.onnx_data', 'onnx/model_q8.onnx'],
  },
  {
    name: 'a graph that has two names',
    files: [...BASICS, 'onnx/model_quantized.onnx', 'onnx/model_quantized.onnx_data', 'onnx/model_q8.onnx'],
    needed: [...BASICS, 'onnx/model_quantized.onnx', 'onnx/model_quantized.onnx_data', 'onnx/model_q8.onnx'],
    graphs: ['onnx/model_quantized.onnx'],
  },
  {
    name: 'several graphs, which share config and tokenizer',
    files: [...BASICS, ...GRAPHS, 'onnx/model_q8.onnx'],
    needed: [...BASICS, ...GRAPHS, 'onnx/model_q8.onnx'],
    graphs: ['onnx/model_q4.onnx', 'onnx/model_q8.onnx'],
  },
  {
    name: 'weights whose name differs in case',
    files: [...BASICS, 'Model.safetensors'],
    needed: [...BASICS, 'Model.safetensors'],
  },
  {
    name: 'the only GGUF that has its first shard',
    files: ['a.gguf', 'm-00002-of-00002.gguf'],
    needed: ['a.gguf'],
    at: 'a.gguf',
  },
  {
    name: 'several graphs, without weights of other models',
    files: [...BASICS, ...GRAPHS, 'onnx/model_q8.onnx', 'training_args.bin'],
    needed: [...BASICS, ...GRAPHS, 'onnx/model_q8.onnx'],
  },
  { name: 'the only bundle', files: BUNDLE, needed: BUNDLE, at: 'webgpu' },
  { name: 'a bundle in its folder', files: [...BUNDLE, 'a.gguf'], path: 'webgpu', needed: BUNDLE },
  {
    name: 'a bundle by its manifest',
    files: BUNDLE,
    path: 'webgpu/manifest.json',
    needed: BUNDLE,
  },
  {
    name: 'a bundle of another name, by its vocabulary',
    files: ['page/manifest.json', 'page/vocabulary.json', 'app/manifest.json'],
    needed: ['page/manifest.json', 'page/vocabulary.json'],
    at: 'page',
  },
  {
    name: 'a bundle that is the repository, beside other models, by its manifest',
    files: ['manifest.json', 'vocabulary.json', 'onnx/model.onnx', 'docs/a.png'],
    path: 'manifest.json',
    needed: ['manifest.json', 'vocabulary.json'],
  },
];

describe('files that a model needs', () => {
  for (const { name, files, path, needed, at = path, graphs } of CASES) {
    it(name, () => {
      const found = neededFiles('org/name', listed(files), path);
      assert.deepEqual(found.files.map((file) => file.path).sort(), [...needed].sort());
      assert.equal(found.path, at);
      if (graphs !== undefined) {
        assert.deepEqual(
          found.models.map((model) => model.path),
          graphs,
        );
      }
    });
  }
  const refused: readonly [files: string[], path: string | undefined, failure: Failure, message: RegExp][] = [
    [['README.md'], undefined, 'invalid-input', /^org\/name: no model in this repository/],
    [
      ['a.gguf', 'b.gguf'],
      undefined,
      'usage',
      /org\/name holds 2 models: a\.gguf, b\.gguf, expected one of them, as hf:\/\/org\/name\/a\.gguf$/,
    ],
    [
      ['adapter_config.json', 'adapter_model.safetensors'],
      undefined,
      'invalid-input',
      /^org\/name: is an adapter, not a model, expected its base model, .* --adapter org\/name$/,
    ],
    [
      ['v2/adapter_config.json', 'v2/adapter_model.safetensors'],
      'v2',
      'invalid-input',
      /--adapter hf:\/\/org\/name\/v2$/,
    ],
    [
      ['a.gguf', ...BASICS, ...GRAPHS, ...BUNDLE],
      undefined,
      'usage',
      /holds 3 models: a\.gguf, onnx\/model_q4\.onnx, webgpu, expected one of them, as hf:\/\/org\/name\/a\.gguf$/,
    ],
    [
      ['webgpu-q4/manifest.json', 'webgpu-q8/manifest.json'],
      undefined,
      'usage',
      /holds 2 models: webgpu-q4, webgpu-q8, expected one of them, as hf:\/\/org\/name\/webgpu-q4$/,
    ],
    [
      ['manifest.json', 'vocabulary.json', 'onnx/model.onnx', 'webgpu-q4/manifest.json'],
      undefined,
      'usage',
      /holds 3 models: onnx\/model\.onnx, manifest\.json, webgpu-q4, expected one of them, as hf:\/\/org\/name\/onnx\/model\.onnx$/,
    ],
    [['m-00002-of-00002.gguf'], undefined, 'invalid-input', /no model in this repository/],
    [['sub/onnx/model.onnx'], undefined, 'invalid-input', /no model in this repository/],
    [['a.gguf'], 'none', 'invalid-input', /no model in this repository/],
    [
      [...BASICS, 'model.safetensors'],
      'model.safetensors',
      'usage',
      /is a part of a model, expected the folder/,
    ],
  ];
  for (const [files, path, failure, message] of refused) {
    it(`refuses ${files.join(', ')}${path ? ` at ${path}` : ''}`, () => {
      assert.throws(() => neededFiles('org/name', listed(files), path), pressFailure(failure, message));
    });
  }
  it('a checkpoint beside a folder of 100,000 files', () => {
    const many = Array.from({ length: 100_000 }, (_, index) => `data/f${index}.txt`);
    const { files } = neededFiles('org/name', listed([...BASICS, 'model.safetensors', ...many]));
    assert.equal(files.length, BASICS.length + 1);
  });
});
