import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { closeModel } from '../../src/core/model.ts';
import { STAGING_NAME } from '../../src/io/staging/staging-folder.ts';
import { convert } from '../../src/pipeline/convert.ts';
import { planTarget } from '../../src/pipeline/planning/target.ts';
import { MANIFEST_NAME } from '../../src/pipeline/record/manifest.ts';
import { parseManifest } from '../../src/pipeline/record/manifest-reader.ts';
import { openSource } from '../../src/pipeline/sources/open.ts';
import { BLOCKS_OF_32, writeRandomCheckpoint } from '../support/builders/random-checkpoint.ts';
import { type Fault, failEveryCall, NO_FAULTS, type Script } from '../support/fakes/faults.ts';
import { digestsOf, sha256, treeDigests } from '../support/oracles/digests.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/**
 * A conversion with --resume is hit at every call by which it changes the disk; then the same command, which
 * nobody adds --force to, ends it with the bytes of a run that nothing has hit.
 */
const driver = fileURLToPath(new URL('../support/drivers/convert-driver.js', import.meta.url));
const ONE_LAYER = { ...BLOCKS_OF_32, num_hidden_layers: 1, vocab_size: 2048 };
const TARGET = 'gguf:q8_0';
const SHARD_SIZE = 120_000;

interface ConvertHere {
  readonly target?: string;
  readonly force?: boolean;
  readonly resume?: boolean;
}

async function convertHere(
  source: string,
  output: string,
  { target = TARGET, force = false, resume = false }: ConvertHere = {},
): Promise<void> {
  const model = await openSource(source);
  try {
    const targets = [await planTarget(model, target, { shardSize: SHARD_SIZE })];
    await convert({ model, source, targets, output, force, resume, threads: 1 });
  } finally {
    await closeModel(model);
  }
}

async function bench(t: TestContext) {
  const folder = temporaryFolder(t);
  const at = (...names: string[]) => path.join(folder, ...names);
  writeRandomCheckpoint(at('plm'), { config: ONE_LAYER, seed: 2 });
  await convertHere(at('plm'), at('clean'));
  process.env.RESUME = '1';
  t.after(() => delete process.env.RESUME);
  const script: Script = [driver, at('plm'), at('out'), TARGET, String(SHARD_SIZE)];
  return { at, source: at('plm'), output: at('out'), clean: digestsOf(at('clean')), script };
}

/** Every file under a final name is whole, and a manifest tells the truth about all that it lists. */
function assertWhole(output: string, ...versions: ReadonlyMap<string, string>[]): void {
  if (!existsSync(output)) return;
  for (const name of readdirSync(output)) {
    if (name.startsWith('.') || name === MANIFEST_NAME) continue;
    const digest = sha256(path.join(output, name));
    assert.ok(
      versions.some((version) => version.get(name) === digest),
      `${name} is neither old nor new`,
    );
  }
  const manifest = path.join(output, MANIFEST_NAME);
  if (!existsSync(manifest)) return;
  for (const file of parseManifest(readFileSync(manifest, 'utf8')).files) {
    assert.equal(sha256(path.join(output, file.path)), file.sha256, `a lie about ${file.path}`);
  }
}

const FAULTS: readonly (Fault & { readonly fewest: number; readonly step?: number })[] = [
  // Lock, heads, tensors, as many lines of the journal, seals, manifest.
  { call: 'write', action: 'signal=KILL', fewest: 30, step: 3 },
  { call: 'write', action: 'error=ENOSPC', fewest: 30, step: 5 },
  { call: 'truncate', action: 'signal=KILL', fewest: 6 },
  { call: 'truncate', action: 'error=EIO', fewest: 6 },
  { call: 'sync', action: 'signal=KILL', fewest: 5 },
  { call: 'sync', action: 'error=EIO', fewest: 5 },
  { call: 'rename', action: 'signal=KILL', fewest: 4 },
  { call: 'rename', action: 'error=EIO', fewest: 4 },
  { call: 'remove', action: 'signal=KILL', fewest: 3 },
  { call: 'make folder', action: 'error=EACCES', fewest: 2 },
];

for (const { fewest, step = 1, ...fault } of FAULTS) {
  test(`${fault.action} at each ${fault.call} call: the same command goes on`, {
    skip: NO_FAULTS,
  }, async (t) => {
    const { source, output, clean, script } = await bench(t);
    const calls = await failEveryCall(script, fault, {
      step,
      before: () => rmSync(output, { recursive: true, force: true }),
      after: async ({ status, stderr }) => {
        assertWhole(output, clean);
        if (fault.action.startsWith('error')) {
          assert.match(stderr, /^[^\n]*(no space left|input\/output error|permission denied)[^\n]*\n$|^$/);
          assert.equal(status, stderr === '' ? 0 : 4);
        }
        // What has come as far as the manifest is complete; a run after that finds the names taken.
        if (existsSync(path.join(output, MANIFEST_NAME))) rmSync(output, { recursive: true });
        await convertHere(source, output, { resume: true });
        assert.deepEqual(treeDigests(output), clean);
      },
    });
    assert.ok(calls >= fewest, `only ${calls} calls`);
  });
}

test('SIGKILL at each rename and removal where --resume replaces one artifact of two', {
  skip: NO_FAULTS,
}, async (t) => {
  const { at, source, output, script } = await bench(t);
  // The artifact that stays is of another model, so that nobody can make it again from this one.
  mkdirSync(at('other'));
  writeRandomCheckpoint(at('other', 'plm'), { config: ONE_LAYER, seed: 3 });
  await convertHere(at('other', 'plm'), at('old'), { target: 'gguf:f16' });
  await convertHere(at('other', 'plm'), at('old'));
  const old = treeDigests(at('old'));
  cpSync(at('old'), at('both'), { recursive: true });
  await convertHere(source, at('both'), { force: true });
  const both = treeDigests(at('both'));
  process.env.FORCE = '1';
  t.after(() => delete process.env.FORCE);
  for (const call of ['rename', 'remove'] as const) {
    await failEveryCall(
      script,
      { call, action: 'signal=KILL' },
      {
        before: () => {
          rmSync(output, { recursive: true, force: true });
          cpSync(at('old'), output, { recursive: true });
        },
        after: async () => {
          assertWhole(output, old, both);
          await convertHere(source, output, { force: true, resume: true });
          assert.deepEqual(treeDigests(output), both, 'the record of the other artifact is there too');
        },
      },
    );
    assert.deepEqual(treeDigests(output), both, 'the run without a fault');
    assert.ok(!existsSync(path.join(output, STAGING_NAME)));
  }
});
