import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { before, describe, it, type TestContext } from 'node:test';
import { writeTinyCheckpoint } from '../support/builders/tiny-checkpoint.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const [F16, F32] = ['plm-F16.gguf', 'plm-F32.gguf'];
const GRAPHS = ['onnx/model_fp16.onnx', 'onnx/model.onnx'];
const BUNDLE = 'webgpu-f16';
const TARGETS = ['gguf:f16', 'gguf:f32', 'onnx:f16', 'onnx:f32', 'webgpu:f16'];
const ALL = [F16, F32, ...GRAPHS, BUNDLE];

let made: string;
const checkpoint = () => path.join(made, 'plm');

/** A copy of a folder with an artifact of every kind. */
function folder(t: TestContext): string {
  const copy = path.join(temporaryFolder(t), 'out');
  cpSync(path.join(made, 'out'), copy, { recursive: true });
  return copy;
}

function flipBit(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  writeFileSync(file, bytes);
}

const verify = (artifact: string, ...more: string[]) =>
  runCli(['verify', artifact, '--against', checkpoint(), '--tokens', '8', ...more]);

interface VerifiedFolder {
  readonly passed: boolean;
  readonly artifacts: readonly {
    readonly artifact: string;
    readonly target?: string;
    readonly passed: boolean;
    readonly tokens?: number;
    readonly failures: readonly string[];
    readonly error?: { readonly class: string; readonly exitCode: number; readonly message: string };
  }[];
  readonly leftOut: readonly string[];
}

async function verified(artifact: string, exitCode: number, ...more: string[]): Promise<VerifiedFolder> {
  const { code, stdout, stderr } = await verify(artifact, '--json', '--quiet', ...more);
  assert.equal(code, exitCode, stderr);
  return JSON.parse(stdout) as VerifiedFolder;
}

const failed = ({ artifacts }: VerifiedFolder) =>
  artifacts.filter(({ passed }) => !passed).map(({ artifact }) => artifact);

before(async () => {
  made = temporaryFolder({ after: (done) => process.once('exit', done as () => void) });
  mkdirSync(checkpoint());
  writeTinyCheckpoint(checkpoint());
  const { code, stderr } = await runCli([
    ...['convert', checkpoint(), ...TARGETS.flatMap((target) => ['--to', target])],
    ...['-o', path.join(made, 'out'), '--quiet'],
  ]);
  assert.equal(code, 0, stderr);
});

describe('verify of a folder with several artifacts', () => {
  it('takes each that plmpress.json names, and says so by name', async (t) => {
    const { passed, artifacts, leftOut } = await verified(folder(t), 0);
    assert.deepEqual([passed, leftOut], [true, []]);
    assert.deepEqual(
      artifacts.map(({ artifact, target, tokens }) => [artifact, target, tokens]),
      ALL.map((name, index) => [name, TARGETS[index], 8]),
    );
  });

  const DAMAGES: readonly [what: string, damage: (out: string) => void, told: string][] = [
    [
      'a bit of weights, and a version that would be unsupported',
      (out) => {
        flipBit(path.join(out, F16), -9);
        flipBit(path.join(out, F16), 6);
      },
      `${F16}: SHA-256 differs from plmpress.json`,
    ],
    [
      'a bit of a header that nothing opens after',
      (out) => flipBit(path.join(out, F32), 1),
      `${F32}: SHA-256 differs from plmpress.json`,
    ],
    [
      'weights that are cut',
      (out) => truncateSync(path.join(out, `${GRAPHS[0]}_data`), 999),
      `${GRAPHS[0]}_data: size differs from plmpress.json, got 999`,
    ],
    [
      'a file that is missing',
      (out) => rmSync(path.join(out, GRAPHS[1]!)),
      `${GRAPHS[1]}: is missing, and plmpress.json names it`,
    ],
    [
      'a page of a bundle',
      (out) => flipBit(path.join(out, BUNDLE, 'index.html'), 50),
      `${BUNDLE}/index.html: SHA-256 differs from plmpress.json`,
    ],
  ];
  it('ends with 6 where files are not as recorded, whatever they have become, and tells each', async (t) => {
    const out = folder(t);
    for (const [, damage] of DAMAGES) damage(out);
    const { artifacts } = await verified(out, 6);
    for (const [index, [what, , told]] of DAMAGES.entries()) {
      const { error, failures } = artifacts[index]!;
      assert.deepEqual([error?.class, error?.exitCode, failures.length], ['verification', 6, 1], what);
      assert.ok(failures[0]!.startsWith(told), `${what}: ${failures[0]}`);
    }
    rmSync(path.join(out, BUNDLE), { recursive: true });
    assert.match((await verified(out, 6)).artifacts.at(-1)!.failures[0]!, /^webgpu-f16\/\S+: is missing/);
  });

  it('verifies the others all the same', async (t) => {
    const out = folder(t);
    for (const [, damage] of DAMAGES.slice(1, 3)) damage(out);
    const { code, stdout, stderr } = await verify(out, '--json');
    assert.equal(code, 6);
    assert.match(stderr, /^plmpress: error: 2 of 5 artifacts failed: plm-F32\.gguf: SHA-256 differs/m);
    const result = JSON.parse(stdout) as VerifiedFolder;
    assert.deepEqual(failed(result), [F32, GRAPHS[0]]);
    assert.deepEqual(
      result.artifacts.map(({ tokens }) => tokens),
      [8, undefined, undefined, 8, 8],
    );
  });

  it('leaves out what plmpress.json does not name, and says so', async (t) => {
    const out = folder(t);
    cpSync(path.join(out, F16), path.join(out, 'other.gguf'));
    cpSync(path.join(out, BUNDLE), path.join(out, 'webgpu-old'), { recursive: true });
    const { code, stdout, stderr } = await verify(out);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^plmpress: other\.gguf was left out: plmpress\.json does not name it/m);
    assert.match(stdout, /^passed plm-F16\.gguf$/m);
    assert.deepEqual((await verified(out, 0)).leftOut, ['other.gguf', 'webgpu-old']);
    // By its path it is verified, without a hash.
    const alone = await verify(path.join(out, 'other.gguf'));
    assert.equal(alone.code, 0);
    assert.match(alone.stderr, /^plmpress: other\.gguf is in no plmpress\.json/m);
  });

  it('without plmpress.json takes all that are found, and says that they have no hashes', async (t) => {
    const out = folder(t);
    rmSync(path.join(out, 'plmpress.json'));
    const { code, stderr } = await verify(out);
    assert.equal(code, 0, stderr);
    for (const name of ALL.slice(0, 4))
      assert.match(stderr, new RegExp(`^plmpress: ${name} is in no plmpress.json: `, 'm'));
    assert.doesNotMatch(stderr, /names webgpu/);
    flipBit(path.join(out, F16), 1);
    const result = await verified(out, 6);
    assert.deepEqual(failed(result), [F16]);
    assert.equal(result.artifacts[0]!.error!.exitCode, 3);
  });

  it('of one artifact prints what it prints for the file', async (t) => {
    const out = folder(t);
    const record = JSON.parse(readFileSync(path.join(out, 'plmpress.json'), 'utf8'));
    record.artifacts = record.artifacts.filter(({ target }: { target: string }) => target === 'gguf:f16');
    record.files = record.files.filter(({ path: name }: { path: string }) => name === F16);
    writeFileSync(path.join(out, 'plmpress.json'), JSON.stringify(record));
    const { stdout } = await verify(out, '--json', '--quiet');
    assert.equal(stdout, (await verify(path.join(out, F16), '--json', '--quiet')).stdout);
    assert.ok('kld' in JSON.parse(stdout));
  });

  it('writes a section for each into a report', async (t) => {
    const out = folder(t);
    flipBit(path.join(out, F16), 30);
    const report = path.join(out, 'report.md');
    assert.equal((await verify(out, '--report', report, '--quiet')).code, 6);
    const text = readFileSync(report, 'utf8');
    assert.equal(text.match(/^## /gm)!.length, 5);
    assert.match(text, /^\*\*failed\*\* It could not be compared with its source\.$/m);
  });

  it('is of the class of the run where no artifact is at fault', async (t) => {
    const out = folder(t);
    const empty = path.join(out, 'empty.txt');
    writeFileSync(empty, '');
    assert.equal((await verify(out, '--text', empty)).code, 3);
    assert.equal((await verify(out, '--max-kld', 'x')).code, 2);
    writeFileSync(path.join(out, 'plmpress.json'), '{');
    assert.equal((await verify(out)).code, 3);
    writeFileSync(path.join(out, 'plmpress.json'), '{"schemaVersion": 2}');
    const newer = await verify(out);
    assert.equal(newer.code, 7);
    assert.match(newer.stderr, /made by a newer version of plmpress/);
  });
});

describe('inspect of a folder with several artifacts', () => {
  it('tells each by its name', async (t) => {
    const out = folder(t);
    const { artifacts, leftOut } = JSON.parse((await runCli(['inspect', out, '--json'])).stdout);
    assert.deepEqual(
      artifacts.map(({ artifact }: { artifact: string }) => artifact),
      ALL,
    );
    assert.deepEqual(leftOut, []);
    const { stdout } = await runCli(['inspect', out]);
    for (const name of ALL) assert.match(stdout, new RegExp(`^${name} \\(`, 'm'));
  });

  it('ends with 6 where one is not as recorded, with 3 where nothing is recorded', async (t) => {
    const out = folder(t);
    flipBit(path.join(out, F32), 1);
    const recorded = await runCli(['inspect', out, '--json']);
    assert.equal(recorded.code, 6);
    assert.deepEqual(
      JSON.parse(recorded.stdout).artifacts.map(({ error }: { error?: { class: string } }) => error?.class),
      [undefined, 'verification', undefined, undefined, undefined],
    );
    rmSync(path.join(out, 'plmpress.json'));
    assert.equal((await runCli(['inspect', out])).code, 3);
  });
});

describe('a command that takes one model', () => {
  const COMMANDS = [
    ['generate', '--prompt', 'a', '-n', '1'],
    ['logits', '--ids', '1'],
    ['tokenize', 'text'],
    ['plan', '--to', 'gguf:q8_0', '--device', 'raspberry-pi-5'],
    ['convert', '--to', 'gguf:q8_0', '-o', 'none'],
    ['diff', 'none'],
  ];
  for (const [command, ...rest] of COMMANDS) {
    it(`${command} names the choices of a folder with several`, async (t) => {
      const out = folder(t);
      const { code, stderr } = await runCli([command!, out, ...rest]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, / holds 5 models, name one of them: \S+\/plm-F16\.gguf, \S+\/plm-F32\.gguf, /);
    });
  }

  it('takes each of them by its path, and the only one of a folder', async (t) => {
    const out = folder(t);
    const ids = async (source: string) => {
      const { code, stdout, stderr } = await runCli(['tokenize', source, 'a text', '--json', '--quiet']);
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout).ids;
    };
    const expected = await ids(checkpoint());
    for (const name of ALL) assert.deepEqual(await ids(path.join(out, name)), expected);
    for (const name of readdirSync(out)) {
      if (name !== BUNDLE) rmSync(path.join(out, name), { recursive: true });
    }
    assert.deepEqual(await ids(out), expected);
  });

  it('says what is recorded where a file has become unreadable', async (t) => {
    const out = folder(t);
    for (const at of [1, 6]) flipBit(path.join(out, F16), at);
    flipBit(path.join(out, BUNDLE, 'vocabulary.json'), 9);
    flipBit(path.join(out, GRAPHS[0]!), 0);
    const run = (name: string) => runCli(['tokenize', path.join(out, name), 'a']);
    for (const name of [F16, BUNDLE, GRAPHS[0]!]) assert.equal((await run(name)).code, 6, name);
    rmSync(path.join(out, 'plmpress.json'));
    // A bundle has a manifest of its own.
    for (const [name, code] of [
      [F16, 3],
      [BUNDLE, 6],
      [GRAPHS[0]!, 3],
    ] as const) {
      assert.equal((await run(name)).code, code, name);
    }
  });

  it('makes nothing of weights that are not as recorded', async (t) => {
    const out = folder(t);
    flipBit(path.join(out, F16), -9);
    flipBit(path.join(out, `${GRAPHS[1]}_data`), -9);
    for (const [name, target] of [
      [F16, 'gguf:q8_0'],
      [GRAPHS[1]!, 'onnx:f16'],
    ] as const) {
      const again = path.join(out, 'again');
      const argv = ['convert', path.join(out, name), '--to', target, '-o', again, '--quiet'];
      const { code, stderr } = await runCli(argv);
      assert.equal(code, 6, stderr);
      assert.match(stderr, /: SHA-256 differs from plmpress\.json/);
      assert.equal(existsSync(again), false);
    }
    rmSync(path.join(out, 'plmpress.json'));
    const argv = [
      'convert',
      path.join(out, F16),
      '--to',
      'gguf:q8_0',
      '-o',
      path.join(out, 'again'),
      '--quiet',
    ];
    assert.equal((await runCli(argv)).code, 0);
  });

  it('counts importances and adapters as no models', async (t) => {
    const out = folder(t);
    const alone = path.join(temporaryFolder(t), 'alone');
    mkdirSync(alone);
    renameSync(path.join(out, F16), path.join(alone, F16));
    const text = path.join(out, 'text');
    writeFileSync(text, 'some text to read, more than once');
    const calibrate = ['calibrate', checkpoint(), '--text', text, '-o', path.join(alone, 'imatrix.gguf')];
    assert.equal((await runCli([...calibrate, '--quiet'])).code, 0);
    assert.equal((await runCli(['tokenize', alone, 'a'])).code, 0);
    assert.equal((await verify(alone, '--quiet')).code, 0);
  });
});

it('an artifact that is a link is held to the record beside the link', async (t) => {
  const out = folder(t);
  for (const name of [F32, BUNDLE]) {
    const place = path.join(out, name);
    mkdirSync(path.join(out, 'store'), { recursive: true });
    renameSync(place, path.join(out, 'store', name));
    symlinkSync(path.join(out, 'store', name), place);
    assert.equal((await verify(place)).code, 0);
  }
  const record = path.join(out, 'plmpress.json');
  const text = readFileSync(record, 'utf8');
  const wrong = text.replace(/("sha256": *")[0-9a-f]{8}/g, '$100000000');
  assert.notEqual(wrong, text);
  writeFileSync(record, wrong);
  for (const name of [F32, BUNDLE]) {
    const { code, stderr } = await verify(path.join(out, name));
    assert.equal(code, 6);
    assert.match(stderr, /SHA-256 differs from plmpress\.json/);
  }
});
