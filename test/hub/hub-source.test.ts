import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isRepositoryPath, parseHubSource, printHubSource } from '../../src/hub/hub-source.ts';
import { pressFailure } from '../support/press-failure.ts';

const COMMIT = '0123456789abcdef0123456789abcdef01234567';

const MEANT: readonly [spec: string, repository: string, revision: string, path?: string][] = [
  ['PLM-Team/PLM-1.8B-Instruct', 'PLM-Team/PLM-1.8B-Instruct', 'main'],
  [' org/name\n', 'org/name', 'main'],
  ['org/name/', 'org/name', 'main'],
  ['org/name@v1.0', 'org/name', 'v1.0'],
  [`org/name@${COMMIT}`, 'org/name', COMMIT],
  ['org/name@refs/pr/3', 'org/name', 'refs/pr/3'],
  ['models/org/name', 'org/name', 'main'],
  ['hf://org/name', 'org/name', 'main'],
  ['HF://models/org/name/', 'org/name', 'main'],
  ['hf://org/name@feature%2Fx', 'org/name', 'feature/x'],
  ['hf://org/name@dev/sub/model.gguf', 'org/name', 'dev', 'sub/model.gguf'],
  ['hf://org/name/model.gguf', 'org/name', 'main', 'model.gguf'],
  ['hf://org/name@refs/pr/3/model.gguf', 'org/name', 'refs/pr/3', 'model.gguf'],
  ['https://huggingface.co/org/name', 'org/name', 'main'],
  ['HTTPS://HuggingFace.co/org/name/', 'org/name', 'main'],
  ['https://huggingface.co/models/org/name', 'org/name', 'main'],
  ['https://huggingface.co/org/name.git', 'org/name', 'main'],
  ['https://huggingface.co/org/name/tree', 'org/name', 'main'],
  ['https://huggingface.co/org/name/tree/main', 'org/name', 'main'],
  ['https://huggingface.co/org/name/tree/v1/sub', 'org/name', 'v1', 'sub'],
  ['https://huggingface.co/org/name/tree/refs%2Fpr%2F1', 'org/name', 'refs/pr/1'],
  ['https://huggingface.co/org/name/tree/feature%2Fx/sub', 'org/name', 'feature/x', 'sub'],
  [`https://huggingface.co/org/name/commit/${COMMIT}`, 'org/name', COMMIT],
  ['https://huggingface.co/org/name/blob/main/a%20b/x.gguf#L1', 'org/name', 'main', 'a b/x.gguf'],
  ['https://huggingface.co/org/name/resolve/main/x.gguf?download=true', 'org/name', 'main', 'x.gguf'],
  ['hf.co/org/name', 'org/name', 'main'],
  ['huggingface.co/org/name/blob/main/x.gguf', 'org/name', 'main', 'x.gguf'],
  ['http://hub.example:8080/base/org/name/tree/main', 'org/name', 'main'],
  ['hub.example:8080/base/org/name', 'org/name', 'main'],
];
const ENDPOINT = 'http://hub.example:8080/base/';

/** As llama.cpp and Ollama name one of several GGUF files. */
const QUANTIZED: readonly [spec: string, revision: string, quantization: string][] = [
  ['org/name:Q4_K_M', 'main', 'Q4_K_M'],
  ['org/name@v1:q8_0', 'v1', 'q8_0'],
  ['hf://org/name:UD-Q4_K_XL', 'main', 'UD-Q4_K_XL'],
  ['hf.co/org/name:Q4_K_M', 'main', 'Q4_K_M'],
  ['https://huggingface.co/org/name:Q4_K_M', 'main', 'Q4_K_M'],
];

describe('sources on the Hub', () => {
  for (const [spec, repository, revision, path] of MEANT) {
    it(spec, () => {
      const source = { repository, revision, ...(path !== undefined && { path }) };
      assert.deepEqual(parseHubSource(spec, ENDPOINT), source);
      assert.deepEqual(parseHubSource(printHubSource(source)), source);
    });
  }
  for (const [spec, revision, quantization] of QUANTIZED) {
    it(spec, () => {
      const source = { repository: 'org/name', revision, quantization };
      assert.deepEqual(parseHubSource(spec), source);
      assert.deepEqual(parseHubSource(printHubSource(source)), source);
    });
  }
  for (const spec of [
    'name',
    'a/b/c',
    './a/b',
    '../a',
    '/a/b',
    'a/b.gguf',
    'a/b.GGUF',
    'out/model.onnx',
    'a//b',
    'a/..',
    '-a/b',
    'a/b c',
    'a/b:',
    'a/b:c/d',
    'a/b@v1/c',
    'models/b',
    'datasets/b/',
    'C:/a/b',
    'C:\\a',
  ]) {
    it(`${spec} is a path`, () => assert.equal(parseHubSource(spec), undefined));
  }
  const elsewhere: readonly [spec: string, message: RegExp][] = [
    ['datasets/org/name', /is a data set on the Hub, not a model, expected hf:/],
    ['hf://spaces/org/name', /is a space on the Hub, not a model/],
    ['https://huggingface.co/datasets/org/name/tree/main', /is a data set on the Hub, not a model/],
    ['https://huggingface.co/org/name/discussions/3', /is a page of the Hub, but not of a model or file/],
    ['https://huggingface.co/api/models/org/name', /is a page of the Hub, but not of a model or file/],
    ['https://huggingface.co/gpt2', /is not an address on the Hub/],
    ['https://huggingface.co/', /is not an address on the Hub/],
    ['https://huggingface.co/org/name:Q4_K_M/x', /is a page of the Hub, but not of a model or file/],
    ['https://example.com/org/name', /HF_ENDPOINT names another server$/],
    ['s3://org/name', /is not an address on the Hub/],
    ['file:///org/name', /is not an address on the Hub/],
    ['git@hf.co:org/name.git', /is a git address/],
    ['hf://org/name:', /is not an address on the Hub/],
  ];
  for (const [spec, message] of elsewhere) {
    it(`${spec} leads elsewhere`, () => {
      assert.throws(() => parseHubSource(spec), pressFailure('usage', message));
    });
  }
  const wrong = [
    'hf://',
    'hf://name',
    'hf://a/b/../c',
    'hf://a/b@',
    'hf://a/b@x..y',
    'hf://a/b@-x',
    'hf://a/b/c\\d',
    'hf://a..b/c',
  ];
  for (const spec of wrong) {
    it(`${spec} is refused`, () => {
      assert.throws(
        () => parseHubSource(spec),
        pressFailure('usage', /is not an address on the Hub, expected hf:/),
      );
    });
  }
});

it('paths of repositories cannot leave a folder', () => {
  for (const path of ['a', 'a/b.bin', '.gitattributes', 'a b/c', 'é/ü.json'])
    assert.ok(isRepositoryPath(path), path);
  const wrong = [
    '',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    '../a',
    'a/../b',
    'a\\b',
    'C:a',
    'a\0',
    'a\nb',
    'x'.repeat(2000),
    'y'.repeat(256),
  ];
  for (const path of wrong) assert.ok(!isRepositoryPath(path), path);
});
