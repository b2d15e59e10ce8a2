import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { parseHubSource } from '../../src/hub/hub-source.ts';
import { pull } from '../../src/pipeline/pull.ts';
import { testSettings } from '../support/builders/hub-checkpoint.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { HubServer } from '../support/fakes/hub-server.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const shard = (nth: number, count: number, stem = 'model') =>
  `${stem}-0000${nth}-of-0000${count}.safetensors`;
const index = (...names: readonly string[]) =>
  JSON.stringify({ weight_map: Object.fromEntries(names.map((name, nth) => [`tensor${nth}`, name])) });

describe('of weights in shards, those come that the index names', () => {
  const INDEX = 'model.safetensors.index.json';
  const CASES: readonly [name: string, files: Record<string, string>, needed: readonly string[]][] = [
    [
      'beside another set',
      {
        [INDEX]: index(shard(1, 2), shard(2, 2)),
        [shard(1, 2)]: '',
        [shard(2, 2)]: '',
        [shard(1, 3)]: '',
        'consolidated.safetensors': '',
        [shard(1, 2, 'consolidated')]: '',
        [shard(2, 2, 'consolidated')]: '',
      },
      [INDEX, shard(1, 2), shard(2, 2)],
    ],
    [
      'under other names',
      {
        [INDEX]: index('a.safetensors', 'b.safetensors'),
        'a.safetensors': '',
        'b.safetensors': '',
        'c.safetensors': '',
      },
      [INDEX, 'a.safetensors', 'b.safetensors'],
    ],
    [
      'and all where the index is damaged',
      { [INDEX]: '{', [shard(1, 2)]: '', [shard(2, 2)]: '' },
      [INDEX, shard(1, 2), shard(2, 2)],
    ],
  ];
  for (const [name, files, needed] of CASES) {
    it(name, async (t) => {
      const server = await HubServer.start(t);
      server.commit('org/m', { 'config.json': '{}', ...files });
      const settings = testSettings(server, temporaryFolder(t));
      const result = await pull({ settings, source: parseHubSource('org/m')!, dryRun: true });
      assert.deepEqual(result.files.map((file) => file.path).sort(), ['config.json', ...needed].sort());
    });
  }
});

it('a quantization brings its GGUF, and names a source', async (t) => {
  const home = temporaryFolder(t);
  const out = path.join(home, 'out');
  for (const scheme of ['q8_0', 'q4_0']) {
    const argv = ['convert', fixture('plm-tiny'), '--to', `gguf:${scheme}`, '-o', out, '--threads', '1'];
    assert.equal((await runCli(argv)).code, 0);
  }
  const server = await HubServer.start(t);
  const files = ['plm-tiny-Q8_0.gguf', 'plm-tiny-Q4_0.gguf'].map((name) => [
    name,
    readFileSync(path.join(out, name)),
  ]);
  server.commit('org/m', Object.fromEntries(files));
  const env = server.env(home);
  const { code, stdout, stderr } = await runCli(['inspect', 'hf.co/org/m:q4_0', '--json'], { env });
  assert.equal(code, 0, stderr);
  assert.ok(stdout.includes('plm-tiny-Q4_0.gguf'), stdout);
  const pulled = await runCli(['pull', 'org/m:Q4_0', '--json'], { env });
  assert.deepEqual(
    JSON.parse(pulled.stdout).files.map((file: { path: string }) => file.path),
    ['plm-tiny-Q4_0.gguf'],
  );
  const none = await runCli(['inspect', 'org/m:Q6_K'], { env });
  assert.equal(none.code, 2);
  assert.match(none.stderr, /org\/m:Q6_K is not a GGUF of the repository, expected one of plm-tiny-Q8_0/);
});
