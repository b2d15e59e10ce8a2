import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { BLOCKS_OF_32, writeRandomCheckpoint } from '../support/builders/random-checkpoint.ts';
import { BINARY, runCli } from '../support/drivers/run-cli.ts';
import { NO_FAULTS, runWithFault } from '../support/fakes/faults.ts';
import { treeDigests } from '../support/oracles/digests.ts';
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

describe('graphs of several runs in one folder', () => {
  const listed = (folder: string) => {
    const config = JSON.parse(readFileSync(path.join(folder, 'config.json'), 'utf8'));
    const { dtype, use_external_data_format: files } = config['transformers.js_config'];
    return { dtype, files };
  };
  const artifacts = (folder: string): { target: string; options: { graphs?: string[] } }[] =>
    JSON.parse(readFileSync(path.join(folder, 'plmpress.json'), 'utf8')).artifacts;
  const targets = (folder: string) => artifacts(folder).map(({ target }) => target);

  it('make the folder that one run makes, which begins with the targets of the last', async (t) => {
    const { source, output } = sourceAndOutput(t);
    const once = path.join(path.dirname(output), 'once');
    const twice = ['--to', 'onnx:q4', '--to', 'onnx:q8', '--shard-size', '64K'];
    await convert(source, output, '--to', 'onnx:q8', '--shard-size', '64K');
    const planned = await runCli([
      ...['convert', source, '-o', output, '--to', 'onnx:q4', '--shard-size', '64K', '--dry-run', '--json'],
    ]);
    await convert(source, output, '--to', 'onnx:q4', '--shard-size', '64K', '--force');
    await convert(source, once, ...twice);
    assert.deepEqual(treeDigests(output), treeDigests(once));
    const { dtype, files } = listed(output);
    assert.equal(dtype, 'q4');
    assert.deepEqual(Object.keys(files), ['model_q4.onnx', 'model_quantized.onnx']);
    assert.ok(files['model_quantized.onnx'] > 1);
    for (const { path: name, bytes } of JSON.parse(planned.stdout).files) {
      assert.equal(statSync(path.join(output, name)).size, bytes, name);
    }
    await convert(source, output, '--to', 'onnx:q8', '--shard-size', '64K', '--force');
    assert.equal(listed(output).dtype, 'q8');
    assert.deepEqual(
      artifacts(output).map(({ target, options }) => [target, options.graphs]),
      [
        ['onnx:q4', undefined],
        ['onnx:q8', ['onnx:q8', 'onnx:q4']],
      ],
    );
  });

  it('stay known where a run is killed while files get their names', { skip: NO_FAULTS }, async (t) => {
    const { source, output } = sourceAndOutput(t);
    await convert(source, output, '--to', 'onnx:q8');
    const argv = ['convert', source, '-o', output, '--to', 'onnx:q4', '--force'];
    const fault = { call: 'rename', action: 'signal=KILL' } as const;
    await runWithFault([BINARY, ...argv, '--threads', '1'], fault, 4);
    assert.deepEqual(targets(output), ['onnx:q8']);
    assert.ok(!recorded(output).includes('config.json'), 'which is about to be replaced');
    await convert(source, output, '--to', 'onnx:q4', '--force');
    assert.deepEqual(Object.keys(listed(output).files), ['model_q4.onnx', 'model_quantized.onnx']);
    assert.deepEqual(targets(output), ['onnx:q4', 'onnx:q8']);
  });

  it('are refused where one config.json cannot be of all, before anything is written', async (t) => {
    const { source, output } = sourceAndOutput(t);
    await convert(source, output, '--to', 'onnx:q8');
    const before = treeDigests(output);
    const other = path.join(path.dirname(output), 'other');
    writeRandomCheckpoint(other, { config: { ...BLOCKS_OF_32, vocab_size: 2080 } });
    const rows: [argv: string[], made: string][] = [
      [[other], 'from another source'],
      [[source, '--cache', 'expanded'], 'with another --cache'],
      [[source, '--pass', 'fold-norms'], 'with other passes'],
    ];
    for (const [argv, made] of rows) {
      const { code, stderr } = await runCli(['convert', ...argv, '--to', 'onnx:q4', '-o', output, '--force']);
      assert.equal(code, 4, stderr);
      const told = `config.json: cannot also serve onnx:q8, which is in this folder and was made ${made}: add --to onnx:q8, or choose another folder`;
      assert.ok(stderr.includes(`plmpress: error: ${told}\n`), stderr);
      assert.deepEqual(treeDigests(output), before);
    }
    await convert(other, output, '--to', 'onnx:q4', '--to', 'onnx:q8', '--force');
    await convert(other, output, '--to', 'gguf:f16');
  });

  it('are named where nothing lists them any more, or their weights are others', async (t) => {
    const { source, output } = sourceAndOutput(t);
    const record = path.join(output, 'plmpress.json');
    await convert(source, output, '--to', 'onnx:q4', '--to', 'onnx:q8');
    writeRandomCheckpoint(source, { seed: 7 });
    const others = await convert(source, output, '--to', 'onnx:q8', '--force');
    assert.match(others, /^plmpress: this folder also has graphs of other weights: onnx:q4$/m);
    rmSync(path.join(output, 'onnx', 'model_q4.onnx_data'));
    const gone = await convert(source, output, '--to', 'onnx:q8', '--force');
    assert.match(gone, /^plmpress: graphs whose files are missing, which are not listed any more: onnx:q4$/m);
    assert.deepEqual(targets(output), ['onnx:q8']);
    writeFileSync(record, readFileSync(record, 'utf8').replace('"schemaVersion": 1', '"schemaVersion": 2'));
    const refused = await runCli(['convert', source, '-o', output, '--to', 'gguf:f16']);
    assert.equal(refused.code, 7, refused.stderr);
    const newer = await convert(source, output, '--to', 'gguf:f16', '--force');
    assert.match(
      newer,
      /^plmpress: the record cannot be read, so a new one will list only the files of this run: plmpress\.json: schemaVersion/m,
    );
    const untold = await convert(source, output, '--to', 'onnx:f16', '--force');
    assert.match(
      untold,
      /^plmpress: graphs that neither config\.json nor plmpress\.json will list: onnx\/model_q4\.onnx, onnx\/model_quantized\.onnx$/m,
    );
    assert.deepEqual(targets(output), ['gguf:f16', 'onnx:f16']);
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
