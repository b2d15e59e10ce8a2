import assert from 'node:assert/strict';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { closeModel } from '../../src/core/model.ts';
import { convert } from '../../src/pipeline/convert.ts';
import { planTarget } from '../../src/pipeline/planning/target.ts';
import { MANIFEST_NAME } from '../../src/pipeline/record/manifest.ts';
import { parseManifest } from '../../src/pipeline/record/manifest-reader.ts';
import { openSource } from '../../src/pipeline/sources/open.ts';
import { BLOCKS_OF_32, writeRandomCheckpoint } from '../support/builders/random-checkpoint.ts';
import { type Fault, failEveryCall, NO_FAULTS, type Script } from '../support/fakes/faults.ts';
import { failEveryClose } from '../support/file-handles.ts';
import { digestsOf, sha256, treeDigests } from '../support/oracles/digests.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/**
 * Every system call by which a conversion changes the disk fails once, in processes of their own. The model
 * has one layer and its artifact three files, so that several writes, renames and syncs lie between any two
 * states.
 */
const driver = fileURLToPath(new URL('../support/drivers/convert-driver.js', import.meta.url));
const ONE_LAYER = { ...BLOCKS_OF_32, num_hidden_layers: 1, vocab_size: 2048 };
const TARGET = 'gguf:q8_0';
const SHARD_SIZE = 120_000;

const KILLED_CALLS = ['write', 'truncate', 'sync', 'rename', 'remove', 'make folder'] as const;

/** A conversion has at least so many calls of each kind: otherwise the test would look at the wrong calls. */
const FEWEST_CALLS: Readonly<Record<Exclude<Fault['call'], 'make link'>, number>> = {
  // Lock, manifest, three heads and eleven tensors.
  write: 16,
  truncate: 4,
  // Four files, then two folders, twice.
  sync: 8,
  rename: 4,
  remove: 1,
  'make folder': 1,
};

const FAILED_CALLS: readonly (Fault & { readonly call: keyof typeof FEWEST_CALLS })[] = [
  { call: 'write', action: 'error=ENOSPC' },
  { call: 'write', action: 'error=EIO' },
  { call: 'truncate', action: 'error=ENOSPC' },
  { call: 'sync', action: 'error=EIO' },
  { call: 'rename', action: 'error=EIO' },
];

interface Bench {
  readonly source: string;
  readonly output: string;
  /** What a clean run writes, by file name. */
  readonly clean: ReadonlyMap<string, string>;
  readonly script: Script;
}

async function bench(t: TestContext): Promise<Bench> {
  const folder = temporaryFolder(t);
  const source = path.join(folder, 'source');
  writeRandomCheckpoint(source, { config: ONE_LAYER, seed: 2 });
  await convertHere(source, path.join(folder, 'clean'));
  const output = path.join(folder, 'out');
  const script: Script = [driver, source, output, TARGET, String(SHARD_SIZE)];
  return { source, output, clean: digestsOf(path.join(folder, 'clean')), script };
}

async function convertHere(source: string, output: string, { resume = false } = {}): Promise<void> {
  const model = await openSource(source);
  try {
    const targets = [await planTarget(model, TARGET, { shardSize: SHARD_SIZE })];
    await convert({ model, source, targets, output, force: true, resume, threads: 1 });
  } finally {
    await closeModel(model);
  }
}

/**
 * Every file under a final name is whole, old or new, and a manifest tells the truth about all that it lists.
 */
function assertWhole(output: string, ...versions: ReadonlyMap<string, string>[]): void {
  if (!existsSync(output)) return;
  for (const name of visible(output)) {
    const digest = sha256(path.join(output, name));
    assert.ok(
      versions.some((version) => version.get(name) === digest),
      `${name} is neither old nor new`,
    );
  }
  const manifest = path.join(output, MANIFEST_NAME);
  if (!existsSync(manifest)) return;
  for (const file of parseManifest(readFileSync(manifest, 'utf8')).files) {
    assert.equal(
      sha256(path.join(output, file.path)),
      file.sha256,
      `the manifest is wrong about ${file.path}`,
    );
  }
}

function visible(folder: string): string[] {
  return readdirSync(folder).filter((name) => !name.startsWith('.'));
}

/** After any fault the next run makes all good, and removes what the first one left. */
async function assertRecovers({ source, output, clean }: Bench): Promise<void> {
  await convertHere(source, output);
  assert.deepEqual(digestsOf(output), clean);
}

for (const call of KILLED_CALLS) {
  test(`SIGKILL at each ${call} call of a conversion into a new folder`, { skip: NO_FAULTS }, async (t) => {
    const setting = await bench(t);
    const calls = await failEveryCall(
      setting.script,
      { call, action: 'signal=KILL' },
      {
        before: () => rmSync(setting.output, { recursive: true, force: true }),
        after: async () => {
          assertWhole(setting.output, setting.clean);
          await assertRecovers(setting);
        },
      },
    );
    assert.deepEqual(digestsOf(setting.output), setting.clean, 'the run without a fault');
    assert.ok(calls >= FEWEST_CALLS[call], `only ${calls} calls`);
  });
}

test('SIGKILL at each sync, rename and removal of a conversion that replaces another', {
  skip: NO_FAULTS,
}, async (t) => {
  const setting = await bench(t);
  const older = path.join(path.dirname(setting.output), 'older');
  const otherSource = path.join(path.dirname(setting.output), 'other', 'source');
  writeRandomCheckpoint(otherSource, { config: ONE_LAYER, seed: 3 });
  await convertHere(otherSource, older);
  const old = digestsOf(older);
  assert.deepEqual([...old.keys()], [...setting.clean.keys()], 'the same names');
  process.env.FORCE = '1';
  t.after(() => delete process.env.FORCE);
  for (const call of ['sync', 'rename', 'remove'] as const) {
    await failEveryCall(
      setting.script,
      { call, action: 'signal=KILL' },
      {
        before: () => {
          rmSync(setting.output, { recursive: true, force: true });
          cpSync(older, setting.output, { recursive: true });
        },
        after: async () => {
          assertWhole(setting.output, old, setting.clean);
          await assertRecovers(setting);
        },
      },
    );
    assert.deepEqual(digestsOf(setting.output), setting.clean, 'the run without a fault');
  }
});

for (const fault of FAILED_CALLS) {
  test(`${fault.action} at each ${fault.call} call is told in one line and leaves nothing behind`, {
    skip: NO_FAULTS,
  }, async (t) => {
    const setting = await bench(t);
    const calls = await failEveryCall(setting.script, fault, {
      before: () => rmSync(setting.output, { recursive: true, force: true }),
      after: async ({ status, stderr }) => {
        assert.equal(status, 4, stderr);
        assert.match(stderr, /^[^\n]*(no space left|input\/output error)[^\n]*\n$/);
        assertGoneOrComplete(setting);
        await assertRecovers(setting);
      },
    });
    assert.ok(calls >= FEWEST_CALLS[fault.call], `only ${calls} calls`);
  });
}

for (const resume of [false, true]) {
  test(`EIO at each closing of a file${resume ? ' with --resume' : ''} is told, or of no account`, async (t) => {
    const setting = await bench(t);
    const { source, output, clean } = setting;
    const run = async () => {
      rmSync(output, { recursive: true, force: true });
      await convertHere(source, output, { resume });
    };
    const told = await failEveryClose(t, run, async (error) => {
      if (error === undefined) assert.deepEqual(digestsOf(output), clean);
      assertWhole(output, clean);
      if (!resume) assertGoneOrComplete(setting);
      await convertHere(source, output, { resume });
      assert.deepEqual(treeDigests(output), clean);
    });
    // Of the lock, three files, the manifest and a folder.
    assert.ok(told >= 6, `only ${told} are told`);
  });
}

/**
 * The last sync follows the last rename: if it fails, all files are there, and only their durability is
 * unsure.
 */
function assertGoneOrComplete({ output, clean }: Bench): void {
  if (!existsSync(output)) return;
  assert.deepEqual(digestsOf(output), clean);
}
