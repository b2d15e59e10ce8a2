import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { writeRandomCheckpoint } from '../support/random-checkpoint.ts';
import { runCli } from '../support/run-cli.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

function sourceAndOutput(t: TestContext) {
  const folder = temporaryFolder(t);
  const source = path.join(folder, 'plm');
  writeRandomCheckpoint(source);
  return { source, output: path.join(folder, 'out') };
}

async function convert(source: string, output: string, ...argv: string[]): Promise<string> {
  const { code, stderr } = await runCli(['convert', source, '-o', output, ...argv]);
  assert.equal(code, 0, stderr);
  return stderr;
}

const ggufs = (folder: string) => readdirSync(folder).filter((name) => name.endsWith('.gguf'));
const recorded = (folder: string): string[] =>
  JSON.parse(readFileSync(path.join(folder, 'plmpress.json'), 'utf8')).files.map(
    ({ path: name }: { path: string }) => name,
  );

describe('what --force replaces', () => {
  it('of a split GGUF goes, whatever the new split is, but for what is not as plmpress wrote it', async (t) => {
    const { source, output } = sourceAndOutput(t);
    await convert(source, output, '--to', 'gguf:f16', '--shard-size', '8K');
    const many = ggufs(output);
    assert.ok(many.length > 3, `${many}`);
    appendFileSync(path.join(output, many[1]!), 'changed');
    writeFileSync(path.join(output, 'mine-00001-of-00002.gguf'), 'mine');

    const stderr = await convert(source, output, '--to', 'gguf:f16', '--shard-size', '64K', '--force');
    const kept = [many[1]!, 'mine-00001-of-00002.gguf'];
    assert.match(stderr, /removed files that only the replaced artifact had: plm-F16-00001-of-/);
    assert.match(
      stderr,
      new RegExp(`kept from the replaced artifact, but no longer listed in plmpress.json: ${many[1]}`),
    );
    const few = ggufs(output).filter((name) => !kept.includes(name));
    assert.ok(few.length > 1 && few.length < many.length);
    assert.deepEqual(recorded(output), few);
    assert.ok(kept.every((name) => existsSync(path.join(output, name))));

    await convert(source, output, '--to', 'gguf:f16', '--force');
    assert.deepEqual(ggufs(output).toSorted(), [...kept, 'plm-F16.gguf'].toSorted());

    await convert(source, output, '--to', 'gguf:f16', '--shard-size', '64K', '--force');
    assert.deepEqual(ggufs(output).toSorted(), [...kept, ...few].toSorted());
  });

  it('stays without --force, as another target, and as the source of the run', async (t) => {
    const { source, output } = sourceAndOutput(t);
    await convert(source, output, '--to', 'gguf:f16', '--shard-size', '8K');
    const shards = ggufs(output);
    await convert(source, output, '--to', 'gguf:f16', '--shard-size', '64K');
    await convert(source, output, '--to', 'gguf:f32', '--force');
    assert.ok(shards.every((name) => existsSync(path.join(output, name))));
    const again = await convert(path.join(output, shards[0]!), output, '--to', 'gguf:f16', '--force');
    assert.ok(shards.every((name) => existsSync(path.join(output, name))));
    assert.match(again, /kept from the replaced artifact/);
  });

  it('of graphs and bundles goes too', async (t) => {
    const { source, output } = sourceAndOutput(t);
    await convert(source, output, '--to', 'onnx:f32', '--shard-size', '8K');
    await convert(source, output, '--to', 'onnx:f32', '--force');
    assert.deepEqual(
      readdirSync(path.join(output, 'onnx')).filter((name) => name.includes('_data')),
      ['model.onnx_data'],
    );
    await convert(source, output, '--to', 'webgpu:f16', '--shard-size', '64K');
    const bundle = path.join(output, 'webgpu-f16');
    const shards = readdirSync(bundle).filter((name) => name.startsWith('w-'));
    await convert(source, output, '--to', 'webgpu:f16', '--force');
    const left = readdirSync(bundle).filter((name) => name.startsWith('w-'));
    assert.ok(shards.length > 1 && left.length === 1 && !shards.includes(left[0]!), `${shards} ${left}`);
  });

  it('and is no file where a link or a folder has come', async (t) => {
    const { source, output } = sourceAndOutput(t);
    await convert(source, output, '--to', 'gguf:f16', '--shard-size', '8K');
    const [first] = ggufs(output);
    renameSync(path.join(output, first!), path.join(source, 'elsewhere.gguf'));
    await convert(source, output, '--to', 'gguf:f16', '--shard-size', '64K', '--force');
    assert.ok(existsSync(path.join(source, 'elsewhere.gguf')));
  });
});

describe('files over --shard-size', () => {
  for (const target of ['gguf:f16', 'onnx:f32']) {
    it(`are told for ${target}, before anything is written`, async (t) => {
      const { source, output } = sourceAndOutput(t);
      const note =
        /files are larger than --shard-size, because a tensor is never cut: \S+ has [\d,]+ bytes instead of at most 1$/m;
      assert.match(await convert(source, output, '--to', target, '--shard-size', '1', '--dry-run'), note);
      assert.doesNotMatch(
        await convert(source, output, '--to', target, '--shard-size', '1G', '--dry-run'),
        /larger than --shard-size/,
      );
    });
  }
});
