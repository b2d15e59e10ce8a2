import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { PressError } from '../../src/core/errors.ts';
import { locateIn, modelAt } from '../../src/pipeline/formats/model-at.ts';
import { neededFiles } from '../../src/pipeline/sources/needed-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** What a folder holds and what is found there, in this order. */
const FOLDERS: readonly [files: readonly string[], models: readonly string[]][] = [
  [
    ['a.gguf', 'config.json', 'onnx/model.onnx', 'webgpu/manifest.json'],
    ['a.gguf', 'onnx/model.onnx', 'webgpu'],
  ],
  [
    ['b-00001-of-00002.gguf', 'b-00002-of-00002.gguf', '.c.gguf', 'x/d.gguf', 'onnx/._model.onnx'],
    ['b-00001-of-00002.gguf'],
  ],
  [
    ['model.safetensors', 'a.gguf'],
    ['', 'a.gguf'],
  ],
  [
    ['manifest.json', 'vocabulary.json', 'onnx/model.onnx'],
    ['onnx/model.onnx', ''],
  ],
  [['page/manifest.json', 'page/vocabulary.json', 'app/manifest.json'], ['page']],
  [
    ['onnx/model_quantized.onnx', 'onnx/model_q8.onnx', 'onnx/model_q8.onnx_data'],
    ['onnx/model_quantized.onnx'],
  ],
  [['README.md', 'deep/onnx/model.onnx'], []],
];

describe('models in a folder', () => {
  for (const [files, models] of FOLDERS) {
    it(`${files.join(', ')}: ${models.join(', ') || 'none'}`, async (t) => {
      const folder = temporaryFolder(t);
      for (const file of files) {
        mkdirSync(path.join(folder, path.dirname(file)), { recursive: true });
        writeFileSync(path.join(folder, file), '');
      }
      assert.deepEqual(
        (await locateIn(folder)).map((model) => model.path),
        models,
      );
      assert.deepEqual(await meantHere(folder), meantThere(files));
    });
  }
});

/** The one model that a folder means, or why there is none. */
async function meantHere(folder: string): Promise<string> {
  try {
    const { place } = await modelAt(folder);
    return path.relative(folder, place).split(path.sep).join('/');
  } catch (error) {
    return (error as PressError).failure;
  }
}

/** The same for a repository on the Hub. */
function meantThere(files: readonly string[]): string {
  try {
    const { models } = neededFiles(
      'org/name',
      files.map((file) => ({ path: file })),
    );
    return models.map((model) => model.path).join();
  } catch (error) {
    return (error as PressError).failure;
  }
}
