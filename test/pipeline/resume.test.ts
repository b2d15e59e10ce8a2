import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import test, { describe, it, type TestContext } from 'node:test';
import type { ProgressEvent } from '../../src/core/jobs/progress.ts';
import { closeModel } from '../../src/core/model.ts';
import { Journal } from '../../src/io/staging/journal.ts';
import { STAGING_NAME } from '../../src/io/staging/staging-folder.ts';
import { convert } from '../../src/pipeline/convert.ts';
import { planTargets } from '../../src/pipeline/planning/target.ts';
import type { TargetOptions } from '../../src/pipeline/planning/target-options.ts';
import { jobKey } from '../../src/pipeline/resume/job-key.ts';
import { openSource } from '../../src/pipeline/sources/open.ts';
import { findOnHub, openOnHub } from '../../src/pipeline/sources/open-hub.ts';
import { REPOSITORY, testSettings } from '../support/builders/hub-checkpoint.ts';
import { BLOCKS_OF_32, writeRandomCheckpoint } from '../support/builders/random-checkpoint.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { HubServer } from '../support/fakes/hub-server.ts';
import { treeDigests } from '../support/oracles/digests.ts';
import { assertRejects } from '../support/rejects.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/**
 * Formats that pack rows and one that does not, bundles whose manifest is made of the shards, several files
 * of each.
 */
const TARGETS = ['gguf:q8_0', 'onnx:q4', 'webgpu:q4'];
const OPTIONS: TargetOptions = { shardSize: 120_000 };

class Interruption extends Error {}

interface Run {
  /** Bytes that were left to be written. */
  readonly left: number | undefined;
  readonly notes: readonly string[];
}

/** A conversion of a random checkpoint, which can be stopped. */
class Bench {
  readonly source: string;
  readonly output: string;

  constructor(t: TestContext) {
    const folder = temporaryFolder(t);
    this.source = path.join(folder, 'plm');
    this.output = path.join(folder, 'out');
    writeRandomCheckpoint(this.source, { seed: 5, config: { ...BLOCKS_OF_32, vocab_size: 2048 } });
  }

  get staging(): string {
    return path.join(this.output, STAGING_NAME);
  }

  get journal(): string {
    return path.join(this.staging, 'journal');
  }

  /** What one run writes that nothing stops. */
  async whole(): Promise<Map<string, string>> {
    const output = `${this.output}-whole`;
    await this.run({ output, resume: false });
    return treeDigests(output);
  }

  /** `stopAt`: stops when so many tensors have been written. */
  async run({
    stopAt = Number.POSITIVE_INFINITY,
    targets = TARGETS,
    output = this.output,
    resume = true,
    force = false,
    told = [] as string[],
  } = {}): Promise<Run> {
    const stop = new AbortController();
    const names = new Set<string>();
    const notes = told;
    let left: number | undefined;
    let isWriting = false;
    const progress = (event: ProgressEvent) => {
      if (event.kind === 'note') notes.push(event.message);
      if (event.kind === 'phase') isWriting = event.name === 'convert';
      if (event.kind === 'phase' && isWriting) left = event.total;
      if (event.kind !== 'advance' || !isWriting) return;
      names.add(event.item!);
      if (names.size > stopAt) stop.abort(new Interruption());
    };
    const model = await openSource(this.source);
    try {
      await convert({
        model,
        source: this.source,
        output,
        threads: 1,
        resume,
        force,
        progress,
        targets: await planTargets(model, targets, OPTIONS),
        signal: stop.signal,
      });
    } finally {
      await closeModel(model);
    }
    return { left, notes };
  }

  /** Leaves a conversion that was stopped halfway. */
  async interrupt(stopAt = 20): Promise<void> {
    const told: string[] = [];
    await assert.rejects(this.run({ stopAt, told }), Interruption);
    assert.deepEqual(told, [
      'finished tensors are kept in .plmpress-resume: the same command continues with them',
    ]);
    assert.deepEqual(
      readdirSync(this.output)
        .filter((name) => !name.startsWith('.'))
        .filter(isFile(this)),
      [],
    );
  }
}

function isFile({ output }: Bench): (name: string) => boolean {
  return (name) => statSync(path.join(output, name)).isFile();
}

test('a conversion that is stopped again and again ends with the bytes of one that is not', async (t) => {
  const bench = new Bench(t);
  const whole = await bench.whole();
  const lefts: number[] = [];
  for (;;) {
    try {
      lefts.push((await bench.run({ stopAt: 9 })).left!);
      break;
    } catch (error) {
      if (!(error instanceof Interruption)) throw error;
      assert.ok(existsSync(bench.journal));
      if (lefts.push(0) > 20) throw new Error('it gets nowhere');
    }
  }
  assert.ok(lefts.length > 3, 'was stopped several times');
  assert.deepEqual(treeDigests(bench.output), whole);
});

test('only what is missing is made', async (t) => {
  const bench = new Bench(t);
  const { left: all } = await bench.run({ output: `${bench.output}-whole` });
  await bench.interrupt();
  const { left, notes } = await bench.run();
  assert.ok(left! < all!, `${left} of ${all} bytes`);
  assert.match(notes[0]!, /^resuming an interrupted run: \d+ of \d+ tensors done$/);
  assert.deepEqual(
    readdirSync(bench.output).filter((name) => name.startsWith('.')),
    [],
  );
});

describe('what was left is taken only where it is sound', () => {
  const cases: Readonly<Record<string, (bench: Bench) => void>> = {
    'a byte of a stored tensor is another one': ({ staging }) => {
      const file = path.join(staging, '1');
      const bytes = readFileSync(file);
      for (let at = 0; at < bytes.length; at += 4096) bytes[at]! ^= 1;
      writeFileSync(file, bytes);
    },
    'padding holds something': ({ staging }) => {
      for (const name of readdirSync(staging).filter((name) => /^\d+$/.test(name))) {
        const bytes = readFileSync(path.join(staging, name));
        bytes.forEach((byte, at) => {
          if (byte === 0) bytes[at] = 1;
        });
        writeFileSync(path.join(staging, name), bytes);
      }
    },
    'a file is shorter': ({ staging }) => truncateSync(path.join(staging, '2'), 100),
    'a file is longer': ({ staging }) => appendFileSync(path.join(staging, '2'), Buffer.alloc(500_000, 1)),
    'a file is gone': ({ staging }) => rmSync(path.join(staging, '1')),
    'the last line of the journal is torn': ({ journal }) =>
      truncateSync(journal, statSync(journal).size - 9),
    'the journal ends in rubbish': ({ journal }) => appendFileSync(journal, Buffer.alloc(5000, 0xfe)),
    'a line in the middle is another one': ({ journal }) => {
      const lines = readFileSync(journal, 'latin1').split('\n');
      lines[3] = lines[3]!.replace(/"number":\d+/, '"number":1e9');
      writeFileSync(journal, lines.join('\n'));
    },
    'lines stand twice and in another order': ({ journal }) => {
      const lines = readFileSync(journal, 'latin1').trim().split('\n');
      writeFileSync(journal, [...lines.reverse(), ...lines, ''].join('\n'));
    },
    'the journal is empty': ({ journal }) => truncateSync(journal),
    'the journal is larger than any': ({ journal }) => truncateSync(journal, 2 ** 40),
    'the journal is a folder of something else': ({ staging, journal }) => {
      rmSync(staging, { recursive: true });
      mkdirSync(staging);
      writeFileSync(journal, '../../etc/passwd\n');
    },
    'the weights are others, in files of the same size': ({ source }) =>
      writeRandomCheckpoint(source, { seed: 6, config: { ...BLOCKS_OF_32, vocab_size: 2048 } }),
  };
  for (const [name, harm] of Object.entries(cases)) {
    it(name, async (t) => {
      const bench = new Bench(t);
      await bench.interrupt();
      harm(bench);
      await bench.run();
      assert.deepEqual(treeDigests(bench.output), await bench.whole());
    });
  }

  it('a line of the journal has another form', async (t) => {
    const bench = new Bench(t);
    await bench.interrupt();
    const model = await openSource(bench.source);
    const key = jobKey(model, await planTargets(model, TARGETS, OPTIONS));
    await closeModel(model);
    const journal = await Journal.open(bench.journal, key);
    assert.ok(!journal.isEmpty);
    await journal.append('{"number":0}');
    await journal.close();
    await bench.run();
    assert.deepEqual(treeDigests(bench.output), await bench.whole());
  });

  it('nothing is written through links that lie there', async (t) => {
    const bench = new Bench(t);
    await bench.interrupt();
    const outside = `${bench.output}-outside`;
    writeFileSync(outside, 'mine');
    for (const name of ['1', 'journal']) {
      rmSync(path.join(bench.staging, name));
      symlinkSync(outside, path.join(bench.staging, name));
    }
    await bench.run();
    assert.equal(readFileSync(outside, 'utf8'), 'mine');
    assert.deepEqual(treeDigests(bench.output), await bench.whole());
  });

  it('a link in the place of the folder is refused', async (t) => {
    const bench = new Bench(t);
    await bench.interrupt();
    renameSync(bench.staging, `${bench.output}-moved`);
    symlinkSync(`${bench.output}-moved`, bench.staging);
    const moved = treeDigests(`${bench.output}-moved`);
    await assertRejects(bench.output, () => bench.run(), { message: /is not a folder/, failure: 'local-io' });
    assert.deepEqual(treeDigests(`${bench.output}-moved`), moved);
  });
});

test('what another conversion has left goes, with a note', async (t) => {
  const bench = new Bench(t);
  await bench.interrupt();
  const { notes } = await bench.run({ targets: ['gguf:f16'] });
  assert.deepEqual(notes, [
    'the interrupted conversion in this folder was a different one and has been removed',
  ]);
  assert.ok(!existsSync(bench.staging));
});

describe('a run without --resume', () => {
  it('leaves what another conversion has staged, and says whose it is', async (t) => {
    const bench = new Bench(t);
    await bench.interrupt();
    const left = treeDigests(bench.staging);
    const { notes } = await bench.run({ targets: ['gguf:f16'], resume: false });
    assert.equal(notes.length, 1);
    assert.match(notes[0]!, /^\.plmpress-resume holds another interrupted conversion: /);
    assert.deepEqual(treeDigests(bench.staging), left);
    await bench.run();
    assert.ok(!existsSync(bench.staging));
  });

  it('removes what it makes worthless', async (t) => {
    const bench = new Bench(t);
    await bench.interrupt();
    const { notes } = await bench.run({ resume: false });
    assert.deepEqual(notes, [
      '.plmpress-resume holds this conversion, interrupted: --resume continues it',
      '.plmpress-resume has been removed: this run completed the interrupted conversion',
    ]);
    assert.ok(!existsSync(bench.staging));
    assert.deepEqual(treeDigests(bench.output), await bench.whole());
  });

  it('leaves it where it fails itself', async (t) => {
    const bench = new Bench(t);
    await bench.interrupt();
    const left = treeDigests(bench.staging);
    await assert.rejects(bench.run({ resume: false, stopAt: 5 }), Interruption);
    assert.deepEqual(treeDigests(bench.staging), left);
  });
});

test('a run that fails before it has written a tensor leaves nothing', async (t) => {
  const bench = new Bench(t);
  await assert.rejects(bench.run({ stopAt: 0 }), Interruption);
  assert.ok(!existsSync(bench.output));
});

test('two runs at once: one of them is told that the folder is taken, and both lose nothing', async (t) => {
  const bench = new Bench(t);
  const whole = await bench.whole();
  await bench.interrupt();
  const runs = await Promise.allSettled([bench.run(), bench.run()]);
  const failures = runs.flatMap((run) => (run.status === 'rejected' ? [run.reason] : []));
  assert.deepEqual(
    failures.map(({ failure }) => failure),
    ['locked'],
  );
  assert.deepEqual(treeDigests(bench.output), whole);
});

test('a conversion from the Hub without a copy goes on after the network has failed', async (t) => {
  const folder = temporaryFolder(t);
  const source = path.join(folder, 'plm');
  writeRandomCheckpoint(source, { seed: 7 });
  const server = await HubServer.start(t);
  const files = readdirSync(source).map((name) => [name, readFileSync(path.join(source, name))] as const);
  server.commit(REPOSITORY, Object.fromEntries(files));
  const weights = files.find(([name]) => name === 'model.safetensors')![1];
  const run = async (output: string, resume: boolean) => {
    const notes: string[] = [];
    const settings = testSettings(server, path.join(folder, 'home'));
    const model = (await openOnHub(await findOnHub(REPOSITORY, { settings })))!;
    try {
      const targets = await planTargets(model, ['gguf:q8_0']);
      const progress = (event: ProgressEvent) => void (event.kind === 'note' && notes.push(event.message));
      await convert({ model, targets, output, threads: 1, resume, progress });
    } finally {
      await closeModel(model);
    }
    return notes;
  };
  const output = path.join(folder, 'out');
  await run(`${output}-whole`, false);
  // The line breaks at three quarters of the weights, for good.
  const end = Math.floor(weights.length * 0.75);
  server.misbehaviours.push((request, response) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')?.map(Number) ?? [];
    if (request.server !== 'store' || from === undefined || to! < end) return false;
    response.writeHead(206, {
      'Content-Length': to! + 1 - from,
      'Content-Range': `bytes ${from}-${to}/${weights.length}`,
    });
    response.write(weights.subarray(from, end), () => response.destroy());
    return true;
  });
  await assert.rejects(run(output, true), { failure: 'network' });
  assert.ok(statSync(path.join(output, STAGING_NAME, 'journal')).size > 0);
  server.misbehaviours.length = 0;
  assert.match((await run(output, true))[0]!, /^resuming an interrupted run/);
  assert.deepEqual(treeDigests(output), treeDigests(`${output}-whole`));
});

test('rows that a server sent wrong in the interrupted run are not taken', async (t) => {
  const bench = new Bench(t);
  const file = path.join(bench.source, 'model.safetensors');
  const sound = readFileSync(file);
  const wrong = Buffer.from(sound);
  // The high byte of some weights of the embedding, which comes first.
  for (let at = 60_000; at < 60_400; at += 2) wrong[at]! ^= 1;
  writeFileSync(file, wrong);
  await bench.interrupt();
  writeFileSync(file, sound);
  const { left } = await bench.run();
  assert.ok(left! > 0, 'told anew what is left');
  assert.deepEqual(treeDigests(bench.output), await bench.whole());
});

test('--resume is refused beside --part', async () => {
  const { code, stderr } = await runCli([
    'convert',
    'x',
    '--to',
    'gguf:f16',
    '-o',
    'y',
    '--part',
    '1/2',
    '--resume',
  ]);
  assert.deepEqual([code, stderr.split(':')[2]?.trim()], [2, '--part cannot be combined with --resume']);
});
