import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isRepositoryPath, parseHubSource, printHubSource } from '../../src/hub/hub-source.ts';
import { pressFailure } from '../support/press-failure.ts';

const COMMIT = '0123456789abcdef0123456789abcdef01234567';

const MEANT: readonly [spec: string, repository: string, revision: string, path?: string][] = [
  ['PLM-Team/PLM-1.8B-Instruct', 'PLM-Team/PLM-1.8B-Instruct', 'main'],
  ['org/name@v1.0', 'org/name', 'v1.0'],
  [`org/name@${COMMIT}`, 'org/name', COMMIT],
  ['org/name@refs/pr/3', 'org/name', 'refs/pr/3'],
  ['hf://org/name', 'org/name', 'main'],
  ['hf://org/name@dev/sub/model.gguf', 'org/name', 'dev', 'sub/model.gguf'],
  ['hf://org/name/model.gguf', 'org/name', 'main', 'model.gguf'],
  ['hf://org/name@refs/pr/3/model.gguf', 'org/name', 'refs/pr/3', 'model.gguf'],
];

describe('sources on the Hub', () => {
  for (const [spec, repository, revision, path] of MEANT) {
    it(spec, () => {
      const source = { repository, revision, ...(path !== undefined && { path }) };
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
    'out/model.onnx',
    'a//b',
    'a/..',
    '-a/b',
  ]) {
    it(`${spec} is a path`, () => assert.equal(parseHubSource(spec), undefined));
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
        pressFailure('usage', /is no address on the Hub, expected hf:/),
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
