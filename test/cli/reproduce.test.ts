import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ProgressEvent } from '../../src/core/jobs/progress.ts';
import { reproduce } from '../../src/pipeline/reproduce.ts';
import { ADAPTER_CONFIG, adapterPair, writeAdapter } from '../support/builders/adapter-files.ts';
import { fixtureText } from '../support/builders/statistics.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { treeDigests } from '../support/oracles/digests.ts';
import { fixture } from '../support/paths.ts';
import { pressFailure } from '../support/press-failure.ts';
import { asUnprivileged, NO_PERMISSIONS } from '../support/privileges.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TINY = fixture('plm-tiny');

/** What tests edit of an artifact in plmpress.json. */
interface RecordedArtifact {
  readonly files: readonly string[];
  readonly source: { name: string };
  readonly options: { graphs?: readonly string[] };
}

async function run(...argv: string[]) {
  const { code, stdout, stderr } = await runCli([...argv, '--quiet', '--json']);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

describe('reproduce', () => {
  const cleanup: (() => void)[] = [];
  let [folder, statistics, adapter, text] = ['', '', '', ''];

  before(async () => {
    folder = temporaryFolder({ after: (work) => cleanup.push(work as () => void) });
    [statistics, adapter, text] = ['stats.gguf', 'adapter', 'text.txt'].map((name) =>
      path.join(folder, name),
    ) as [string, string, string];
    writeFileSync(text, fixtureText('calibration', 600));
    await run('calibrate', TINY, '--text', text, '--second-moments', 'all', '-o', statistics);
    writeAdapter(adapter, adapterPair('model.layers.0.self_attn.q_proj', [384, 256]), { ...ADAPTER_CONFIG });
  });
  after(() => {
    for (const work of cleanup) work();
  });

  const output = (name: string) => path.join(folder, name);
  const convert = (name: string, ...more: string[]) => run('convert', TINY, '-o', output(name), ...more);

  const runs: readonly [name: string, flags: () => string[], inputs: () => string[]][] = [
    [
      'every format',
      () => ['--to', 'gguf:q8_0', '--to', 'onnx:q8', '--to', 'onnx:q4', '--to', 'webgpu:q4'],
      () => [],
    ],
    [
      'importances and exceptions',
      () => [
        ...['--to', 'gguf:q4_k_m', '--imatrix', statistics, '--tensor-type', 'attn_q=q8_0'],
        ...['--token-embedding-type', 'q6_k', '--shard-size', '1MB', '--kv-b-rule', '2025-03'],
      ],
      () => ['--imatrix', statistics],
    ],
    [
      'error feedback, passes and an adapter',
      () => [
        ...['--to', 'gguf:q4_k_m', '--quality', 'best', '--statistics', statistics],
        ...['--pass', 'prune-ffn:ratio=0.25', '--adapter', adapter],
      ],
      () => ['--statistics', statistics, '--adapter', adapter],
    ],
    ['another arch', () => ['--to', 'gguf:q8_0', '--gguf-arch', 'deepseek2'], () => []],
    ['another cache', () => ['--to', 'onnx:q4', '--cache', 'expanded'], () => []],
  ];
  for (const [name, flags, inputs] of runs) {
    it(`gives the same bytes: ${name}`, async () => {
      const made = output(name);
      await convert(name, ...flags());
      const before = treeDigests(made);
      const manifest = path.join(made, 'plmpress.json');
      // A copy under another name, as a clone elsewhere has it.
      const copy = output(`copy of ${name}`);
      cpSync(TINY, copy, { recursive: true });
      for (const threads of ['1', '2']) {
        const again = output(`${name} on ${threads}`);
        const flags = ['--from', copy, '--threads', threads, ...(threads === '1' ? ['-o', again] : [])];
        const { same, artifacts } = await run('reproduce', manifest, ...flags, ...inputs());
        assert.equal(same, true);
        const files = artifacts.flatMap((artifact: { files: { same: boolean }[] }) => artifact.files);
        assert.ok(files.length >= 1 && files.every((file: { same: boolean }) => file.same));
        if (threads === '1') {
          const [expected, found] = [before, treeDigests(again)].map((digests) => {
            return [...digests].filter(([file]) => file !== 'plmpress.json');
          });
          assert.deepEqual(found, expected);
        }
      }
      assert.deepEqual(treeDigests(made), before, 'and leaves nothing');
    });
  }

  it('makes the artifacts of several runs again, or one of them', async () => {
    await convert('several', '--to', 'onnx:q4', '--to', 'onnx:q8');
    await convert('several', '--to', 'gguf:q4_0');
    await convert('several', '--to', 'onnx:f16', '--force');
    const { artifacts } = await run('reproduce', output('several'), '--from', TINY);
    const targets = artifacts.map(({ target }: { target: string }) => target);
    assert.deepEqual(targets, ['gguf:q4_0', 'onnx:f16', 'onnx:q4', 'onnx:q8']);
    const one = await run('reproduce', output('several'), '--from', TINY, '--only', 'onnx/model_fp16.onnx');
    assert.deepEqual([one.artifacts.length, one.artifacts[0].target], [1, 'onnx:f16']);
  });

  it('names the first file and the tensors that came out otherwise', async () => {
    await convert('edited', '--to', 'gguf:q8_0', '--to', 'gguf:q4_0');
    const manifest = path.join(output('edited'), 'plmpress.json');
    const record = JSON.parse(readFileSync(manifest, 'utf8'));
    record.files.find((file: { path: string }) => file.path.includes('Q4_0')).sha256 = '0'.repeat(64);
    record.artifacts[0].tensors[2].sha256 = '1'.repeat(64);
    record.artifacts[0].version = '0.0.1';
    writeFileSync(manifest, JSON.stringify(record));
    const { code, stdout, stderr } = await runCli(['reproduce', manifest, '--from', TINY]);
    assert.equal(code, 6);
    assert.match(stdout, /^plm-tiny-Q4_0\.gguf +[\d,]+ +0{16} +[0-9a-f]{16}, other bytes$/m);
    assert.match(stdout, /^plm-tiny-Q8_0\.gguf .* same$/m);
    assert.match(stderr, /^plmpress: gguf:q4_0 was made by plmpress 0\.0\.1, this is /m);
    const name = record.artifacts[0].tensors[2].name.replaceAll('.', '\\.');
    const told = `^plmpress: error: plm-tiny-Q4_0\\.gguf: gguf:q4_0 came out different; different tensors: ${name}$`;
    assert.match(stderr, new RegExp(told, 'm'));
    assert.deepEqual(
      readdirSync(output('edited')).filter((file) => file.startsWith('.')),
      [],
    );
  });

  it('leaves nothing where it is interrupted', async () => {
    await convert('interrupted', '--to', 'gguf:q8_0');
    const manifest = path.join(output('interrupted'), 'plmpress.json');
    const before = treeDigests(output('interrupted'));
    const controller = new AbortController();
    const progress = (event: ProgressEvent) => {
      if (event.kind === 'phase' && event.name === 'read back') controller.abort(new Error('interrupted'));
    };
    const work = reproduce({ manifest, from: TINY, threads: 1, progress, signal: controller.signal });
    await assert.rejects(work, /^Error: interrupted$/);
    assert.deepEqual(treeDigests(output('interrupted')), before);
    assert.equal(readdirSync(output('interrupted')).length, 2);
  });

  it('refuses records whose artifacts do not fit each other', async () => {
    await convert('unfit', '--to', 'onnx:q8', '--to', 'onnx:q4');
    const manifest = path.join(output('unfit'), 'plmpress.json');
    const text = readFileSync(manifest, 'utf8');
    const rows: [edit: (artifacts: RecordedArtifact[]) => void, code: number, message: RegExp][] = [
      [
        ([first]) => {
          first!.source.name = 'other';
        },
        2,
        /model_\w+\.onnx are of different sources, expected --only FILE$/m,
      ],
      [
        (artifacts) => {
          artifacts.find(({ files }) => files.includes('config.json'))!.options.graphs = [
            'onnx:q8',
            'onnx:q2',
          ];
        },
        3,
        /plmpress\.json: options\.graphs: no such artifact, got "onnx:q2"$/m,
      ],
    ];
    for (const [edit, code, message] of rows) {
      const record = JSON.parse(text);
      edit(record.artifacts);
      writeFileSync(manifest, JSON.stringify(record));
      const result = await runCli(['reproduce', manifest, '--from', TINY, '--quiet']);
      assert.equal(result.code, code, result.stderr);
      assert.match(result.stderr, message);
    }
  });

  it('tells where there is no room beside the record', { skip: NO_PERMISSIONS }, async () => {
    await convert('closed', '--to', 'gguf:q8_0');
    const from = output('open');
    cpSync(TINY, from, { recursive: true });
    chmodSync(folder, 0o755);
    chmodSync(output('closed'), 0o555);
    const manifest = path.join(output('closed'), 'plmpress.json');
    await assert.rejects(
      asUnprivileged(() => reproduce({ manifest, from, threads: 1 })),
      pressFailure('local-io', /closed: permission denied \(EACCES\)$/),
    );
  });

  it('refuses what does not fit before anything is made', async () => {
    await convert('refusals', '--to', 'gguf:q4_k_m', '--imatrix', statistics, '--adapter', adapter);
    const [made, changed] = [output('refusals'), output('changed')];
    cpSync(TINY, changed, { recursive: true });
    appendFileSync(path.join(changed, 'tokenizer_config.json'), '\n');
    const wide = output('wide');
    await run('calibrate', TINY, '--text', text, '--context', '32', '-o', wide);
    const right = ['--from', TINY, '--imatrix', statistics, '--adapter', adapter];
    const rows: [flags: string[], code: number, message: RegExp][] = [
      [[], 2, /the record does not say where on the Hub plm-tiny is, expected --from SOURCE$/m],
      [
        ['--from', TINY, '--adapter', adapter],
        2,
        /gguf:q4_k_m was made with stats\.gguf, expected --imatrix FILE$/m,
      ],
      [
        ['--from', TINY, '--imatrix', statistics],
        6,
        /adapter_config\.json: is missing; --adapter takes its folder/,
      ],
      [
        ['--from', changed, ...right.slice(2)],
        6,
        /tokenizer_config\.json: size differs from the record, got \d+/,
      ],
      [
        [...right.slice(0, 2), '--imatrix', wide, ...right.slice(4)],
        6,
        /wide: is not the imatrix that gguf:q4_k_m/,
      ],
      [[...right, '--adapter', adapter], 6, /adapter_config\.json: is not a file of the recorded source/],
      [
        [...right, '--statistics', statistics],
        2,
        /no artifact here was made with --statistics; leave it out$/m,
      ],
      [[...right, '--only', 'other.gguf'], 2, /no artifact in plmpress\.json has a file "other\.gguf"/],
      [[...right, '-o', made], 4, /plm-tiny-Q4_K_M\.gguf: exists already in \S+\/refusals; /],
    ];
    for (const [flags, code, message] of rows) {
      const result = await runCli(['reproduce', path.join(made, 'plmpress.json'), '--quiet', ...flags]);
      assert.equal(result.code, code, `${flags}: ${result.stderr}`);
      assert.match(result.stderr, message);
    }
    assert.deepEqual(readdirSync(made).sort(), ['plm-tiny-Q4_K_M.gguf', 'plmpress.json']);
    const nowhere = await runCli(['reproduce', output('nowhere/plmpress.json'), '--from', TINY]);
    assert.equal(nowhere.code, 4);
    const empty = await runCli(['reproduce', TINY, '--from', TINY]);
    assert.match(empty.stderr, /plm-tiny: contains no plmpress\.json$/m);
    assert.equal(existsSync(path.join(TINY, 'plmpress.json')), false);
  });
});
