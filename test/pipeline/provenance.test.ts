import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test, { describe, it, type TestContext } from 'node:test';
import { readGgufFileInfo } from 'node-llama-cpp';
import { readGguf } from '../../formats/gguf/container/reader.ts';
import type { GgufValue } from '../../formats/gguf/container/types.ts';
import { openHfFolder } from '../../formats/hf/import.ts';
import { decodeModel } from '../../formats/onnx/decode.ts';
import type { HubOrigin } from '../../src/core/hub-origin.ts';
import { closeModel } from '../../src/core/model.ts';
import { SCHEMES, type SchemeName, schemeBytes } from '../../src/core/scheme.ts';
import { convert } from '../../src/pipeline/convert.ts';
import { planTargets } from '../../src/pipeline/planning/target.ts';
import type { TargetOptions } from '../../src/pipeline/planning/target-options.ts';
import type { Manifest } from '../../src/pipeline/record/manifest.ts';
import { parseManifest } from '../../src/pipeline/record/manifest-reader.ts';
import { openSource } from '../../src/pipeline/sources/open.ts';
import { VERSION } from '../../src/pipeline/version.ts';
import { readManifest } from '../../src/webgpu/read-manifest.ts';
import { BLOCKS_OF_256, writeRandomCheckpoint } from '../support/builders/random-checkpoint.ts';
import { memorySource } from '../support/builders/raw-gguf.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const ORIGIN: HubOrigin = {
  repository: 'PLM-Team/PLM-1.8B-Instruct',
  revision: '0123456789abcdef'.repeat(3).slice(0, 40),
};

interface Converted {
  readonly output: string;
  readonly manifest: Manifest;
}

async function converted(
  t: TestContext,
  targets: readonly string[],
  { origin, ...options }: TargetOptions & { origin?: HubOrigin } = {},
): Promise<Converted> {
  const folder = temporaryFolder(t);
  const [source, output] = [path.join(folder, 'plm'), path.join(folder, 'out')];
  writeRandomCheckpoint(source, { config: BLOCKS_OF_256 });
  const opened = await openHfFolder(source);
  const model = { ...opened, ...(origin && { origin }) };
  try {
    const planned = await planTargets(model, targets, options);
    const { manifest } = await convert({ model, source, output, targets: planned, threads: 2 });
    return { output, manifest: manifest! };
  } finally {
    await closeModel(model);
  }
}

/** Name and SHA-256 of every tensor of a GGUF, as gguf-hash prints them, by a reader of others. */
async function tensorHashes(file: string): Promise<[name: string, sha256: string][]> {
  const bytes = readFileSync(file);
  const { fullTensorInfo = [] } = await readGgufFileInfo(file, {
    logWarnings: false,
    spliceSplitFiles: false,
  });
  return fullTensorInfo.map(({ name, ggmlType, dimensions, fileOffset }) => {
    const [scheme] = Object.entries(SCHEMES).find(([, known]) => known.ggmlType === Number(ggmlType))!;
    const count = dimensions.reduce<number>((product, n) => product * Number(n), 1);
    const start = Number(fileOffset);
    const data = bytes.subarray(start, start + schemeBytes(scheme as SchemeName, count));
    return [name, createHash('sha256').update(data).digest('hex')];
  });
}

describe('hashes', () => {
  it('of tensors are those of their bytes in a GGUF, in shards too', async (t) => {
    for (const options of [{}, { shardSize: 500_000 }]) {
      const { output, manifest } = await converted(t, ['gguf:q4_k_m'], options);
      const [artifact] = manifest.artifacts;
      const found: [string, string][] = [];
      for (const file of artifact!.files) found.push(...(await tensorHashes(path.join(output, file))));
      assert.deepEqual(
        artifact!.tensors.map(({ name, sha256 }) => [name, sha256]),
        found,
      );
    }
  });

  it('of tensors are the same where blocks are packed otherwise', async (t) => {
    const { manifest } = await converted(t, ['gguf:q4_0', 'webgpu:q4'], { pure: true });
    const hashes = manifest.artifacts.map(
      ({ tensors }) => new Map(tensors.map(({ source, sha256 }) => [source, sha256])),
    );
    for (const name of ['model.layers.0.self_attn.q_proj.weight', 'model.layers.1.mlp.up_proj.weight']) {
      assert.equal(hashes[0]!.get(name), hashes[1]!.get(name), name);
    }
  });

  const hasSha256sum = spawnSync('sha256sum', ['--version']).status === 0;
  it('of files are those of sha256sum', { skip: !hasSha256sum && 'no sha256sum here' }, async (t) => {
    const { output, manifest } = await converted(t, ['gguf:q8_0', 'onnx:q4', 'webgpu:q8']);
    const list = manifest.files.map(({ path: file, sha256 }) => `${sha256}  ${file}\n`).join('');
    const { status, stdout } = spawnSync('sha256sum', ['--check', '--strict', '-'], {
      cwd: output,
      input: list,
    });
    assert.equal(status, 0, stdout.toString());
  });
});

describe('where the weights are from', () => {
  const TARGETS = ['gguf:q8_0', 'onnx:q8', 'webgpu:q8'];

  async function told({ output, manifest }: Converted) {
    const ggufFile = readFileSync(path.join(output, 'plm-Q8_0.gguf'));
    const { metadata } = await readGguf(memorySource(ggufFile));
    const keys = new Map<string, GgufValue>(metadata);
    const graph = decodeModel(readFileSync(path.join(output, 'onnx/model_quantized.onnx')), 'graph');
    const bundle = readManifest(readFileSync(path.join(output, 'webgpu-q8/manifest.json'), 'utf8'));
    return {
      manifest: manifest.artifacts.map(({ source }) => source.origin),
      gguf: ['general.source.repo_url', 'plmpress.source.commit', 'plmpress.version'].map(
        (key) => keys.get(key)?.value,
      ),
      onnx: [
        graph.metadata['plmpress.source.repository'],
        graph.metadata['plmpress.source.commit'],
        graph.producerVersion,
      ],
      webgpu: [bundle.origin, bundle.tool.version],
    };
  }

  it('is told by every artifact', async (t) => {
    const artifacts = await converted(t, TARGETS, { origin: ORIGIN });
    const url = 'https://huggingface.co/PLM-Team/PLM-1.8B-Instruct';
    assert.deepEqual(await told(artifacts), {
      manifest: [ORIGIN, ORIGIN, ORIGIN],
      gguf: [url, ORIGIN.revision, VERSION],
      onnx: [url, ORIGIN.revision, VERSION],
      webgpu: [ORIGIN, VERSION],
    });
    for (const file of ['plm-Q8_0.gguf', 'onnx/model_quantized.onnx', 'webgpu-q8']) {
      await closeModel(await openSource(path.join(artifacts.output, file)));
    }
    const text = readFileSync(path.join(artifacts.output, 'plmpress.json'), 'utf8');
    assert.deepEqual(parseManifest(text), artifacts.manifest);
  });

  it('is not told where nobody knows', async (t) => {
    assert.deepEqual(await told(await converted(t, TARGETS)), {
      manifest: [undefined, undefined, undefined],
      gguf: [undefined, undefined, undefined],
      onnx: [undefined, undefined, VERSION],
      webgpu: [undefined, VERSION],
    });
  });

  test('is refused where it is no repository at a commit', async (t) => {
    const { output } = await converted(t, ['gguf:f16'], { origin: ORIGIN });
    const text = readFileSync(path.join(output, 'plmpress.json'), 'utf8');
    const edits: [from: string, to: string, message: RegExp][] = [
      [ORIGIN.repository, '../../etc', /source\.origin\.repository: .*org\/name$/],
      [ORIGIN.repository, 'org', /source\.origin\.repository: /],
      [ORIGIN.revision, 'main', /source\.origin\.revision: .*40 hex digits$/],
    ];
    for (const [from, to, message] of edits) {
      assert.throws(() => parseManifest(text.replace(from, to)), { message });
    }
  });
});
