import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { jobMatrix, type MatrixRequest } from '../../src/pipeline/job-matrix.ts';
import { pressFailure } from '../support/press-failure.ts';

const names = (request: MatrixRequest) => jobMatrix(request).include.map(({ name }) => name);

describe('a matrix of jobs', () => {
  it('has every model in every target, GGUFs in every size', () => {
    const models = ['PLM-Team/PLM-1.8B-Instruct', 'fixtures/plm-tiny/'];
    const request = { models, targets: ['gguf:Q4_K_M', 'onnx:q4'], sizes: ['900MB', '1.1GB'] };
    assert.deepEqual(jobMatrix(request).include.slice(0, 3), [
      {
        name: 'PLM-1.8B-Instruct-gguf-q4_k_m-900MB',
        model: models[0],
        target: 'gguf:q4_k_m',
        size: '900MB',
      },
      {
        name: 'PLM-1.8B-Instruct-gguf-q4_k_m-1.1GB',
        model: models[0],
        target: 'gguf:q4_k_m',
        size: '1.1GB',
      },
      { name: 'PLM-1.8B-Instruct-onnx-q4', model: models[0], target: 'onnx:q4' },
    ]);
    assert.equal(jobMatrix(request).include.length, 6);
  });

  it('has a job per part, whose names begin with that of the whole', () => {
    const request = { models: ['plm'], targets: ['webgpu:q8'], parts: 3 };
    assert.deepEqual(jobMatrix(request).include[1], {
      name: 'plm-webgpu-q8.part-2-of-3',
      model: 'plm',
      target: 'webgpu:q8',
      part: '2/3',
    });
    assert.deepEqual(names({ models: ['plm'], targets: ['webgpu:q8'] }), ['plm-webgpu-q8']);
  });

  it('has names of their own that are fit for files and artifacts', () => {
    const models = ['a/plm', 'b/PLM', 'hf://c/other@0123', '../x y:z?', '/', 'm'.repeat(300)];
    const all = names({ models, targets: ['gguf:q8_0', 'onnx:q8'], sizes: ['512 MiB'], parts: 2 });
    assert.equal(new Set(all.map((name) => name.toLowerCase())).size, all.length);
    for (const name of all) assert.match(name, /^[A-Za-z0-9][\w.-]{0,199}$/);
    assert.match(all[0]!, /^plm-[0-9a-f]{8}-gguf-q8_0-512-MiB\.part-1-of-2$/);
  });

  const refusals: readonly [name: string, request: MatrixRequest, message: RegExp][] = [
    ['an unknown target', { models: ['a'], targets: ['tflite:q8'] }, /^unknown target "tflite:q8"/],
    ['an unknown recipe', { models: ['a'], targets: ['gguf:q9'] }, /^unknown GGUF recipe "q9"/],
    ['a model twice', { models: ['a', 'a'], targets: ['onnx:q4'] }, /^model a is given twice$/],
    [
      'a target twice',
      { models: ['a'], targets: ['gguf:q8_0', 'gguf:Q8_0'] },
      /^target gguf:q8_0 is given twice$/,
    ],
    [
      'sizes without a GGUF',
      { models: ['a'], targets: ['onnx:q4'], sizes: ['1GB'] },
      /^sizes are for GGUF targets/,
    ],
    ['too many jobs', { models: ['a'], targets: ['onnx:q4'], parts: 257 }, /^257 jobs, expected at most 256/],
  ];
  for (const [name, request, message] of refusals) {
    it(`is refused for ${name}`, () => {
      assert.throws(() => jobMatrix(request), pressFailure('usage', message));
    });
  }
});
