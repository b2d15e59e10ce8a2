import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Failure } from '../../src/core/errors.ts';
import { neededFiles } from '../../src/pipeline/needed-files.ts';
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
  { name: 'a bundle in its folder', files: [...BUNDLE, 'a.gguf'], path: 'webgpu', needed: BUNDLE },
  {
    name: 'a bundle by its manifest',
    files: BUNDLE,
    path: 'webgpu/manifest.json',
    needed: BUNDLE,
    at: 'webgpu',
  },
];

describe('files that a model needs', () => {
  for (const { name, files, path, needed, at = path } of CASES) {
    it(name, () => {
      const found = neededFiles('org/name', listed(files), path);
      assert.deepEqual(found.files.map((file) => file.path).sort(), [...needed].sort());
      assert.equal(found.path, at);
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
});
