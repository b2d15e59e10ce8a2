import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { describe, it } from 'node:test';
import type { Failure } from '../../src/core/errors.ts';
import {
  encodeManifest,
  MANIFEST_NAME,
  type Manifest,
  type ManifestArtifact,
  type ManifestFile,
} from '../../src/pipeline/record/manifest.ts';
import { checkManifest, parseManifest, readManifest } from '../../src/pipeline/record/manifest-reader.ts';
import { describesAny, mergeManifest } from '../../src/pipeline/record/merge-manifest.ts';
import { recordVerifications } from '../../src/pipeline/record/record-verification.ts';
import type { Verification } from '../../src/pipeline/verify.ts';
import { assertRejects } from '../support/rejects.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Of `printf 'Call me Ishmael.' | sha256sum`. */
const SHA_OF_ISHMAEL = '458f3ceeeec730139693560ecf66c9c22d9c7bc7dcb0599e8e10b667dfeac043';

const SHA = (digit: string) => digit.repeat(64);

const file = (name: string, digit = 'a'): ManifestFile => ({ path: name, bytes: 10, sha256: SHA(digit) });

function artifact(target: string, ...files: string[]): ManifestArtifact {
  return {
    target,
    version: '0.1.0',
    source: {
      format: 'safetensors',
      name: 'plm',
      files: [{ name: 'config.json', bytes: 3, sha256: SHA('c') }],
    },
    options: { recipe: target, shardSize: 500, strict: false, tensorTypes: ['attn_q=Q8_0', 'x=F16'] },
    passes: ['permute-rope'],
    changes: [{ pass: 'permute-rope', subject: 'config', from: 'a', to: 'b', reason: 'c' }],
    fallbacks: [{ tensor: 'w', wanted: 'Q6_K', used: 'Q8_0', reason: 'too narrow' }],
    tensors: [
      {
        name: 'token_embd.weight',
        source: 'model.embed_tokens.weight',
        scheme: 'Q8_0',
        shape: [4, 32],
        bytes: 136,
        sha256: SHA('d'),
        error: { relativeRms: 0.0012345678901234567, maxAbs: 1e-7 },
      },
    ],
    files,
  };
}

const ONE = mergeManifest(undefined, [artifact('gguf:q8_0', 'b.gguf')], [file('b.gguf')]);
const TEXT = Buffer.from(encodeManifest(ONE)).toString();

test('a manifest survives encoding and parsing', () => {
  assert.deepEqual(parseManifest(TEXT), ONE);
  assert.match(TEXT, /^\{\n {2}"schemaVersion": 1,[\s\S]*\n\}\n$/);
});

describe('a second conversion', () => {
  it('adds its artifacts, and the order of conversions does not show', () => {
    const other = [artifact('gguf:f16', 'a.gguf')];
    const both = mergeManifest(ONE, other, [file('a.gguf')]);
    assert.deepEqual(
      both.files.map(({ path: name }) => name),
      ['a.gguf', 'b.gguf'],
    );
    const first = mergeManifest(undefined, other, [file('a.gguf')]);
    const reversed = mergeManifest(first, ONE.artifacts, ONE.files);
    assert.deepEqual(encodeManifest(both), encodeManifest(reversed));
  });

  it('replaces the artifacts that share a file with a new one, and all files of theirs', () => {
    const shards = [artifact('gguf:f32', 'x-1.gguf', 'x-2.gguf')];
    const before = mergeManifest(ONE, shards, [file('x-1.gguf'), file('x-2.gguf')]);
    const after = mergeManifest(before, [artifact('gguf:f32', 'x-1.gguf')], [file('x-1.gguf', 'e')]);
    assert.deepEqual(after.files, [file('b.gguf'), file('x-1.gguf', 'e')]);
    assert.deepEqual(
      after.artifacts.map(({ files }) => files),
      [['x-1.gguf'], ['b.gguf']],
    );
  });

  it('makes a manifest stale only if that describes a replaced file', () => {
    assert.equal(describesAny(ONE, [file('b.gguf')]), true);
    assert.equal(describesAny(ONE, [file('a.gguf')]), false);
  });
});

describe('manifests that are refused', () => {
  const cases: readonly [name: string, edit: (text: string) => string, message: RegExp, failure?: Failure][] =
    [
      ['text', () => 'hello', /line 1/],
      ['a list', () => '[]', /wrong value, got \[\], expected an object$/],
      ['cut short', (text) => text.slice(0, -40), /plmpress\.json/],
      [
        'of a later schema',
        (text) => text.replace('"schemaVersion": 1', '"schemaVersion": 2'),
        /schemaVersion: the file was made by a newer version of plmpress, got 2, expected at most 1: update plmpress$/,
        'unsupported',
      ],
      ['without files', (text) => text.replace('"files"', '"fils"'), /files: missing/],
      [
        'a climbing path',
        (text) => text.replaceAll('b.gguf', '../b.gguf'),
        /files\[0\]\.path: .*a path inside the folder$/,
      ],
      ['an absolute path', (text) => text.replaceAll('b.gguf', '/etc/passwd'), /files\[0\]\.path: /],
      ['a path of Windows', (text) => text.replaceAll('b.gguf', 'C:\\\\b.gguf'), /files\[0\]\.path: /],
      ['a short digest', (text) => text.replaceAll('aaaa', 'aaa'), /files\[0\]\.sha256: .*64 hex digits$/],
      [
        'a tensor without a digest',
        (text) => text.replace(/"sha256": "d+",/, ''),
        /artifacts\[0\]\.tensors\[0\]\.sha256: missing/,
      ],
      [
        'a digest of a tensor in capitals',
        (text) => text.replaceAll(SHA('d'), SHA('D')),
        /tensors\[0\]\.sha256: .*64 hex digits$/,
      ],
      ['a negative size', (text) => text.replace('"bytes": 10', '"bytes": -10'), /files\[0\]\.bytes: /],
      [
        'a size that is no integer',
        (text) => text.replace('"bytes": 10', '"bytes": 1.5'),
        /files\[0\]\.bytes: /,
      ],
      [
        'an artifact of a file that is not listed',
        (text) => text.replace('b.gguf', 'c.gguf'),
        /b\.gguf is not among the files$/,
      ],
      [
        'a path with a control character',
        (text) => text.replaceAll('b.gguf', 'b\\u001b[2J.gguf'),
        /files\[0\]\.path: .*a path inside the folder$/,
      ],
      [
        'a path that is written from right to left',
        (text) => text.replaceAll('b.gguf', 'b\\u202e.gguf'),
        /files\[0\]\.path: .*a path inside the folder$/,
      ],
      [
        'without artifacts',
        (text) => text.replace(/"artifacts": \[.*\]/s, '"artifacts": []'),
        /artifacts: wrong value, got \[\], expected at least one artifact$/,
      ],
      [
        'an artifact without files',
        (text) => text.replace(/"files": \[\s*"b\.gguf"\s*\]/, '"files": []'),
        /artifacts\[0\]\.files: wrong value, got \[\], expected at least one file$/,
      ],
      [
        'a file of no artifact',
        (text) =>
          text.replace('"files": [', `"files": [{ "path": ".env", "bytes": 1, "sha256": "${SHA('a')}" },`),
        /files: \.env belongs to no artifact$/,
      ],
      [
        'a target that is a line of Markdown',
        (text) => text.replace('"target": "gguf:q8_0"', '"target": "gguf:`# x`"'),
        /artifacts\[0\]\.target: .*FORMAT:SCHEME, as gguf:q4_k_m$/,
      ],
      [
        'more passes than the stack could hold',
        (text) => text.replace('"permute-rope"', Array(5000).fill('"fold-norms"').join()),
        /artifacts\[0\]\.passes: wrong value, got "an array of 5000 items", expected at most 100 items$/,
      ],
      [
        'a pass that is none',
        (text) => text.replace('"permute-rope"', '"../permute"'),
        /artifacts\[0\]\.passes\[0\]: .*NAME or NAME:key=value/,
      ],
      [
        'an option that is an object',
        (text) => text.replace('"shardSize": 500', '"shardSize": {}'),
        /options\.shardSize: /,
      ],
    ];
  for (const [name, edit, message, failure] of cases) {
    it(name, async (t) => {
      const folder = temporaryFolder(t);
      const text = edit(TEXT);
      assert.notEqual(text, TEXT);
      writeFileSync(path.join(folder, MANIFEST_NAME), text);
      await assertRejects(folder, () => readManifest(folder), {
        message,
        ...(failure && { failure }),
      });
    });
  }

  it('a path that is listed twice', () => {
    const twice: Manifest = { ...ONE, files: [...ONE.files, ...ONE.files] };
    const message = 'plmpress.json: files: a path is listed twice';
    assert.throws(() => parseManifest(Buffer.from(encodeManifest(twice)).toString()), { message });
  });
});

describe('a manifest that is no file', () => {
  it('is not followed', async (t) => {
    const folder = temporaryFolder(t);
    symlinkSync('elsewhere', path.join(folder, MANIFEST_NAME));
    const expected = { failure: 'local-io', message: /is not a regular file$/ } as const;
    await assertRejects(folder, () => readManifest(folder), expected);
  });

  it('is not read', async (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(path.join(folder, MANIFEST_NAME));
    const expected = { failure: 'local-io', message: /is not a regular file$/ } as const;
    await assertRejects(folder, () => readManifest(folder), expected);
  });
});

test('a folder that is a file has no manifest', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'file'), '');
  const message = /^plmpress\.json: is not a folder \(ENOTDIR\)$/;
  await assertRejects(folder, () => readManifest(path.join(folder, 'file')), {
    failure: 'local-io',
    message,
  });
});

test('what verifying has found is recorded for the artifact of the run', async (t) => {
  const folder = temporaryFolder(t);
  const others = [artifact('gguf:q8_0', 'a.gguf'), artifact('gguf:f16', 'c.gguf')];
  const before = mergeManifest(ONE, others, [file('a.gguf'), file('c.gguf')]);
  writeFileSync(path.join(folder, MANIFEST_NAME), encodeManifest(before));
  const kld = { mean: 0.25, median: 0.125, p99: 2, max: 3 };
  const found = { tokens: 7, kld, top1: 0.75 } as Verification;
  const texts = ['Call me Ishmael.'];
  await recordVerifications(folder, [file('a.gguf')], [{ target: 'gguf:q8_0', verification: found }], texts);
  const { artifacts } = (await readManifest(folder))!;
  const recorded = new Map(artifacts.map(({ files, verification }) => [files[0], verification]));
  assert.deepEqual([recorded.get('b.gguf'), recorded.get('c.gguf')], [undefined, undefined]);
  assert.deepEqual(recorded.get('a.gguf'), {
    tokens: 7,
    meanKld: 0.25,
    top1: 0.75,
    texts: [SHA_OF_ISHMAEL],
  });
});

describe('a file is checked against the manifest beside it', () => {
  const present = (digit: string, bytes = 10, name = 'b.gguf') => ({
    name,
    bytes,
    sha256: async () => SHA(digit),
  });

  it('and is what the manifest says', async (t) => {
    const folder = temporaryFolder(t);
    assert.equal(await checkManifest(folder, present('a')), undefined, 'no manifest');
    writeFileSync(path.join(folder, MANIFEST_NAME), TEXT);
    assert.deepEqual(await checkManifest(folder, present('a')), ONE.artifacts[0]);
    assert.equal(await checkManifest(folder, present('a', 10, 'other.gguf')), undefined, 'not listed');
  });

  const cases: readonly [name: string, file: ReturnType<typeof present>, message: RegExp][] = [
    [
      'another size',
      present('a', 11),
      /^b\.gguf: size differs from plmpress\.json, got 11, expected 10 bytes$/,
    ],
    [
      'other bytes',
      present('b'),
      /^b\.gguf: SHA-256 differs from plmpress\.json, got "b{64}", expected a{64}$/,
    ],
  ];
  for (const [name, found, message] of cases) {
    it(`and has ${name}`, async (t) => {
      const folder = temporaryFolder(t);
      writeFileSync(path.join(folder, MANIFEST_NAME), TEXT);
      await assertRejects(folder, () => checkManifest(folder, found), { failure: 'verification', message });
    });
  }
});
