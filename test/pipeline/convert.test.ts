import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import test, { describe, it, type TestContext } from 'node:test';
import type { ProgressEvent } from '../../src/core/jobs/progress.ts';
import { closeModel, type Model } from '../../src/core/model.ts';
import { LOCK_NAME } from '../../src/io/locks/locked-folder.ts';
import { temporaryPath } from '../../src/io/staging/temporary-file.ts';
import { type ConvertOptions, type ConvertResult, convert } from '../../src/pipeline/convert.ts';
import { planTarget, planTargets } from '../../src/pipeline/planning/target.ts';
import type { TargetOptions } from '../../src/pipeline/planning/target-options.ts';
import { MANIFEST_NAME } from '../../src/pipeline/record/manifest.ts';
import { parseManifest } from '../../src/pipeline/record/manifest-reader.ts';
import { openSource } from '../../src/pipeline/sources/open.ts';
import { randomImatrix } from '../support/builders/imatrix-files.ts';
import {
  BLOCKS_OF_32,
  BLOCKS_OF_256,
  type RandomCheckpoint,
  writeRandomCheckpoint,
} from '../support/builders/random-checkpoint.ts';
import { tinyPlm } from '../support/builders/tiny-checkpoint.ts';
import { writePlanPlainly } from '../support/builders/write-plan.ts';
import { deadPid } from '../support/dead-pid.ts';
import { digestsOf, sha256 } from '../support/oracles/digests.ts';
import { asUnprivileged, NO_PERMISSIONS } from '../support/privileges.ts';
import { assertRejects } from '../support/rejects.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const ONE_LAYER = { ...BLOCKS_OF_32, num_hidden_layers: 1 };
/** Folder name of the source, from which the model gets its name. */
const NAME = 'tiny';

type Rest = Partial<Omit<ConvertOptions, 'model' | 'source' | 'targets' | 'output'>> &
  Pick<TargetOptions, 'shardSize' | 'imatrix' | 'allowRequantize'>;

const IMPORTANCES: Rest = { imatrix: randomImatrix(tinyPlm(BLOCKS_OF_256)) };

/** A folder with a random checkpoint `tiny` in it. */
function workFolder(t: TestContext, checkpoint: RandomCheckpoint = {}): string {
  const folder = temporaryFolder(t);
  writeRandomCheckpoint(path.join(folder, NAME), { config: ONE_LAYER, ...checkpoint });
  return folder;
}

async function withModel<T>(source: string, use: (model: Model) => Promise<T>): Promise<T> {
  const model = await openSource(source);
  try {
    return await use(model);
  } finally {
    await closeModel(model);
  }
}

function run(source: string, output: string, targets: string[], rest: Rest = {}): Promise<ConvertResult> {
  return withModel(source, async (model) =>
    convert({
      model,
      source,
      output,
      threads: 1,
      targets: await planTargets(model, targets, rest),
      ...rest,
    }),
  );
}

describe('files are those of the plan, written by the plain encoders', () => {
  const cases: readonly [name: string, target: string, checkpoint: RandomCheckpoint, rest?: Rest][] = [
    ['bf16 to q8_0', 'gguf:q8_0', {}],
    ['f32 to f16', 'gguf:f16', { dtype: 'F32' }],
    ['three source files', 'gguf:q4_0', { shards: 3 }],
    ['several target files', 'gguf:bf16', {}, { shardSize: 100_000 }],
    ['importances', 'gguf:q5_k_m', { config: BLOCKS_OF_256 }, IMPORTANCES],
    ['rows that a pass reorders', 'gguf:f32', { config: { ...ONE_LAYER, rope_interleave: false } }],
  ];
  for (const [name, target, checkpoint, rest = {}] of cases) {
    it(name, async (t) => {
      const folder = workFolder(t, checkpoint);
      const [source, output] = [path.join(folder, NAME), path.join(folder, 'out')];
      const { files, manifest } = await run(source, output, [target], rest);
      const expected = await withModel(source, async (model) =>
        writePlanPlainly((await planTarget(model, target, rest)).plan, path.join(folder, 'expected')),
      );
      const digests = digestsOf(output);
      for (const file of expected) assert.equal(digests.get(path.basename(file)), sha256(file));
      const names = [...expected.map((file) => path.basename(file)), MANIFEST_NAME].sort();
      assert.deepEqual([...digests.keys()], names);
      assert.deepEqual(manifest, parseManifest(readFileSync(path.join(output, MANIFEST_NAME), 'utf8')));
      assert.deepEqual(
        manifest!.files.map(({ path: file, bytes, sha256: digest }) => [file, bytes, digest]),
        files.map(({ path: file, bytes }) => [file, bytes, digests.get(file)]),
      );
    });
  }
});

test('the manifest tells source, passes, and scheme and error of every tensor', async (t) => {
  const folder = workFolder(t, { config: { ...ONE_LAYER, rope_interleave: false } });
  const source = path.join(folder, NAME);
  const { manifest } = await run(source, path.join(folder, 'out'), ['gguf:Q4_0']);
  const [artifact] = manifest!.artifacts;
  const { format, name, files } = artifact!.source;
  assert.deepEqual([format, name], ['safetensors', NAME]);
  assert.deepEqual(
    new Map(files.map((file) => [file.name, file.sha256] as const).toSorted()),
    digestsOf(source),
  );
  assert.deepEqual(
    [artifact!.target, artifact!.options, artifact!.passes],
    ['gguf:q4_0', { recipe: 'q4_0' }, ['permute-rope']],
  );
  assert.equal(artifact!.changes.at(-1)!.subject, 'config');
  assert.equal(artifact!.fallbacks[0]!.wanted, 'Q6_K', 'rows of 96 hold no blocks of 256');
  const schemes = new Map(artifact!.tensors.map((tensor) => [tensor.scheme, tensor.error.relativeRms]));
  assert.equal(schemes.get('F32'), 0);
  // Half a step of 8 bits is 1/254 of the largest of 32 weights, of 4 bits 1/16: Gaussian weights are near
  // these.
  const within = (scheme: string, low: number, high: number) => {
    const error = schemes.get(scheme)!;
    assert.ok(low < error && error < high, `${scheme}: ${error}`);
  };
  within('Q8_0', 0.002, 0.01);
  within('Q4_0', 0.05, 0.15);
});

test('the same bytes and manifest come of any threads and memory, in any folder', async (t) => {
  const folder = workFolder(t);
  const source = path.join(folder, NAME);
  const targets = ['gguf:q8_0', 'gguf:f16'];
  await run(source, path.join(folder, 'reference'), targets);
  const expected = digestsOf(path.join(folder, 'reference'));
  const variants: Rest[] = [{ threads: 2 }, { threads: 5 }, { maxMemory: 2e9 }];
  for (const [index, rest] of variants.entries()) {
    const output = path.join(folder, 'deeper', String(index));
    await run(source, output, targets, rest);
    assert.deepEqual(digestsOf(output), expected);
  }
  const apart = path.join(folder, 'apart');
  for (const target of targets.toReversed()) await run(source, apart, [target]);
  assert.deepEqual(digestsOf(apart), expected, 'two conversions into one folder');
});

test('a dry run gives exact sizes and touches nothing', async (t) => {
  const folder = workFolder(t);
  const source = path.join(folder, NAME);
  const planned = await run(source, path.join(folder, 'out'), ['gguf:q8_0'], { dryRun: true });
  assert.deepEqual(readdirSync(folder), [NAME]);
  const written = await run(source, path.join(folder, 'out'), ['gguf:q8_0']);
  assert.deepEqual(planned, { files: written.files, manifest: undefined });
});

describe('what is in the output folder', () => {
  const TARGET_FILE = `${NAME}-Q8_0.gguf`;

  it('stays without force, and is replaced with it', async (t) => {
    const folder = workFolder(t);
    const [source, output] = [path.join(folder, NAME), path.join(folder, 'out')];
    await run(source, output, ['gguf:q8_0']);
    const before = digestsOf(output);
    writeRandomCheckpoint(source, { config: ONE_LAYER, seed: 5 });
    const message = new RegExp(`^${TARGET_FILE}: exists already in \\S+; --force replaces it$`);
    await assertRejects(output, () => run(source, output, ['gguf:q8_0']), { failure: 'local-io', message });
    await assertRejects(output, () => run(source, output, ['gguf:f16', 'gguf:q8_0']), {
      failure: 'local-io',
      message,
    });
    const { manifest } = await run(source, output, ['gguf:q8_0'], { force: true });
    const after = digestsOf(output);
    assert.notEqual(after.get(TARGET_FILE), before.get(TARGET_FILE));
    assert.equal(manifest!.files[0]!.sha256, after.get(TARGET_FILE));
    assert.equal(manifest!.artifacts.length, 1);
  });

  it('may be a manifest that is malformed, which only force replaces', async (t) => {
    const folder = workFolder(t);
    const [source, output] = [path.join(folder, NAME), path.join(folder, 'out')];
    mkdirSync(output);
    writeFileSync(path.join(output, MANIFEST_NAME), '{');
    await assertRejects(output, () => run(source, output, ['gguf:q8_0']), { message: /^plmpress\.json: / });
    await run(source, output, ['gguf:q8_0'], { force: true });
    parseManifest(readFileSync(path.join(output, MANIFEST_NAME), 'utf8'));
  });

  it('is never written through a link', async (t) => {
    const folder = workFolder(t);
    const [source, output] = [path.join(folder, NAME), path.join(folder, 'out')];
    mkdirSync(output);
    const elsewhere = path.join(folder, 'elsewhere');
    writeFileSync(elsewhere, 'precious');
    symlinkSync(elsewhere, path.join(output, TARGET_FILE));
    const rejection = { failure: 'local-io', message: /is a symbolic link/ } as const;
    await assertRejects(output, () => run(source, output, ['gguf:q8_0'], { force: true }), rejection);
    assert.equal(readFileSync(elsewhere, 'utf8'), 'precious');
  });

  it('is never an input, even with force', async (t) => {
    const folder = workFolder(t);
    const output = path.join(folder, 'out');
    await run(path.join(folder, NAME), output, ['gguf:q8_0']);
    const source = path.join(output, TARGET_FILE);
    const rejection = { failure: 'local-io', message: /is an input of this run/ } as const;
    await assertRejects(output, () => run(source, output, ['gguf:q8_0'], { force: true }), rejection);
    const linked = path.join(folder, 'linked.gguf');
    linkSync(source, linked);
    await assertRejects(output, () => run(linked, output, ['gguf:q8_0'], { force: true }), rejection);
  });

  it('may be the source, beside which the artifact goes', async (t) => {
    const folder = workFolder(t);
    const source = path.join(folder, NAME);
    const before = digestsOf(source);
    await run(source, source, ['gguf:q8_0']);
    const after = digestsOf(source);
    for (const [name, digest] of before) assert.equal(after.get(name), digest);
    assert.deepEqual(
      [...after.keys()].filter((name) => !before.has(name)),
      [MANIFEST_NAME, TARGET_FILE],
    );
  });

  it('cannot be written', { skip: NO_PERMISSIONS }, async (t) => {
    const folder = workFolder(t);
    const output = path.join(folder, 'out');
    mkdirSync(output);
    chmodSync(folder, 0o755);
    chmodSync(output, 0o555);
    const work = () =>
      withModel(path.join(folder, NAME), (model) =>
        asUnprivileged(async () =>
          convert({
            model,
            source: path.join(folder, NAME),
            targets: [await planTarget(model, 'gguf:q8_0')],
            output,
          }),
        ),
      );
    await assertRejects(output, work, { failure: 'local-io', message: /permission denied \(EACCES\)$/ });
  });
});

describe('an interrupted conversion', () => {
  const stopAt = (kind: string, phase?: string) => {
    const controller = new AbortController();
    let current = '';
    const progress = (event: ProgressEvent) => {
      if (event.kind === 'phase') current = event.name;
      if (event.kind === kind && (phase === undefined || phase === current)) {
        controller.abort(new Error('interrupted'));
      }
    };
    return { signal: controller.signal, progress };
  };
  for (const [kind, phase] of [
    ['phase', 'convert'],
    ['advance', 'convert'],
    ['phase', 'read back'],
    ['advance', 'read back'],
  ] as const) {
    it(`leaves nothing, stopped at ${kind} of ${phase}`, async (t) => {
      const folder = workFolder(t);
      const output = path.join(folder, 'out');
      const work = run(path.join(folder, NAME), output, ['gguf:q8_0'], stopAt(kind, phase));
      await assert.rejects(work, /^Error: interrupted$/);
      assert.equal(existsSync(output), false);
    });
  }

  it('leaves what was there', async (t) => {
    const folder = workFolder(t);
    const output = path.join(folder, 'out');
    await run(path.join(folder, NAME), output, ['gguf:q8_0']);
    const before = digestsOf(output);
    const work = run(path.join(folder, NAME), output, ['gguf:q8_0', 'gguf:f16'], {
      force: true,
      ...stopAt('advance', 'read back'),
    });
    await assert.rejects(work, /^Error: interrupted$/);
    assert.deepEqual(digestsOf(output), before);
  });
});

test('of two runs on one folder at once, one is locked out and the result is whole', async (t) => {
  const folder = workFolder(t);
  const [source, output] = [path.join(folder, NAME), path.join(folder, 'out')];
  const runs = await Promise.allSettled([
    run(source, output, ['gguf:q8_0']),
    run(source, output, ['gguf:f16']),
  ]);
  const failures = runs.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  assert.deepEqual(
    failures.map((error) => [error.failure, error.exitCode]),
    [['locked', 8]],
  );
  const { files } = parseManifest(readFileSync(path.join(output, MANIFEST_NAME), 'utf8'));
  assert.deepEqual(new Map(files.map((file) => [file.path, file.sha256])).size, 1);
  assert.equal(sha256(path.join(output, files[0]!.path)), files[0]!.sha256);
  assert.deepEqual(readdirSync(output).sort(), [files[0]!.path, MANIFEST_NAME].sort());
});

test('what a killed run has left is taken over and removed', async (t) => {
  const folder = workFolder(t);
  const output = path.join(folder, 'out');
  const dead = deadPid();
  mkdirSync(output);
  writeFileSync(path.join(output, LOCK_NAME), JSON.stringify({ pid: dead, started: '1', key: 'x' }));
  const temporary = temporaryPath(path.join(output, `${NAME}-Q8_0.gguf`));
  writeFileSync(temporary.replace(`-${process.pid}-`, `-${dead}-`), 'half');
  await run(path.join(folder, NAME), output, ['gguf:q8_0']);
  assert.deepEqual(readdirSync(output).sort(), [MANIFEST_NAME, `${NAME}-Q8_0.gguf`].sort());
});

describe('a source that changes during the run is exit 3, and leaves nothing', () => {
  const cases: readonly [name: string, change: (file: string) => void][] = [
    ['it grows', (file) => appendFileSync(file, 'x')],
    ['it is written', (file) => utimesSync(file, 1, 1)],
    [
      'another takes its name',
      (file) => {
        copyFileSync(file, `${file}.copy`);
        spawnSync('mv', [`${file}.copy`, file]);
      },
    ],
  ];
  for (const [name, change] of cases) {
    it(name, async (t) => {
      const folder = workFolder(t);
      const source = path.join(folder, NAME);
      const progress = (event: ProgressEvent) => {
        if (event.kind === 'phase' && event.name === 'read back')
          change(path.join(source, 'model.safetensors'));
      };
      const work = run(source, path.join(folder, 'out'), ['gguf:q8_0'], { progress });
      await assert.rejects(work, {
        failure: 'invalid-input',
        message: 'model.safetensors: changed while reading',
      });
      assert.deepEqual(readdirSync(folder), [NAME]);
    });
  }
});

describe('conversions that are refused', () => {
  const overflow: RandomCheckpoint = {
    dtype: 'F32',
    rewrite: ({ name }, values) => {
      if (name === 'model.layers.0.mlp.up_proj.weight') values[2 * 96 + 7] = 65520;
      return values;
    },
  };
  const cases: readonly [
    name: string,
    targets: string[],
    expected: Parameters<typeof assertRejects>[2],
    checkpoint?: RandomCheckpoint,
    rest?: Rest,
  ][] = [
    [
      'a weight that overflows',
      ['gguf:f16'],
      {
        message:
          /^model\.safetensors: tensor "model\.layers\.0\.mlp\.up_proj\.weight": weight \[2, 7\] overflows in F16, got 65520$/,
      },
      overflow,
    ],
    [
      'a target twice',
      ['gguf:q8_0', 'gguf:Q8_0'],
      { failure: 'usage', message: /^gguf:q8_0 and gguf:q8_0 both write tiny-Q8_0\.gguf$/ },
    ],
    [
      'a target without a recipe',
      ['gguf'],
      {
        failure: 'usage',
        message: /^unknown target "gguf", expected gguf:RECIPE, onnx:SCHEME or webgpu:SCHEME$/,
      },
    ],
    ['an unknown format', ['ggml:q8_0'], { failure: 'usage', message: /^unknown target "ggml:q8_0"/ }],
    ['an unknown recipe', ['gguf:q9_0'], { failure: 'usage', message: /^unknown GGUF recipe "q9_0"/ }],
    [
      'too little memory',
      ['gguf:q8_0'],
      { failure: 'local-io', message: /^the memory limit is too small: 1 MB, expected at least \d+ MB$/ },
      {},
      { maxMemory: 1e6 },
    ],
  ];
  for (const [name, targets, expected, checkpoint, rest] of cases) {
    it(name, async (t) => {
      const folder = workFolder(t, checkpoint);
      await assertRejects(
        folder,
        () => run(path.join(folder, NAME), path.join(folder, 'out'), targets, rest),
        expected,
      );
    });
  }
});
