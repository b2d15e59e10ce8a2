import assert from 'node:assert/strict';
import { cpSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { assertInside } from '../../src/io/source-folder.ts';
import { writeTinyCheckpoint } from '../support/builders/tiny-checkpoint.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { assertRejects } from '../support/rejects.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** A checkpoint and artifacts of it, a folder each; tests change copies. */
let made = '';
const cleanups: (() => void)[] = [];

before(async () => {
  made = temporaryFolder({ after: (clean) => cleanups.push(clean as () => void) });
  const checkpoint = path.join(made, 'checkpoint');
  writeTinyCheckpoint(checkpoint);
  for (const [folder, ...flags] of [
    ['shards', '--to', 'gguf:f16', '--shard-size', '20kB'],
    ['gguf', '--to', 'gguf:f16'],
    ['graph', '--to', 'onnx:f32'],
    ['bundle', '--to', 'webgpu:f16'],
  ] as const) {
    const { code, stderr } = await runCli(['convert', checkpoint, '-o', path.join(made, folder), ...flags]);
    assert.equal(code, 0, stderr);
  }
});
after(() => {
  for (const clean of cleanups) clean();
});

/** A change of a folder, which may put things into another beside it. */
type Change = (folder: string, elsewhere: string) => void;

/** Puts what `name` finds elsewhere, and a link to it in its place. */
function linked(name: RegExp, link: (to: string, from: string) => void = symlinkSync): Change {
  return (folder, elsewhere) => {
    const found = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find((entry) =>
      name.test(entry),
    )!;
    const moved = path.join(elsewhere, path.basename(found));
    renameSync(path.join(folder, found), moved);
    link(moved, path.join(folder, found));
  };
}

const OUT = 'symbolic link that leads out of the folder';

describe('a model whose folder has links that leave it is refused', () => {
  const cases: readonly [
    what: string,
    from: string,
    change: Change,
    inside: RegExp | undefined,
    message: string,
  ][] = [
    ['weights', 'checkpoint', linked(/^model\.safetensors$/), undefined, `model.safetensors: ${OUT}`],
    ['config', 'checkpoint', linked(/^config\.json$/), undefined, `config.json: ${OUT}`],
    ['tokenizer', 'checkpoint', linked(/^tokenizer\.json$/), undefined, `tokenizer.json: ${OUT}`],
    ['a GGUF', 'gguf', linked(/\.gguf$/), undefined, `checkpoint-F16.gguf: ${OUT}`],
    ['a shard of a GGUF that is named', 'shards', linked(/00002/), /00001-of/, `00002-of-00003.gguf: ${OUT}`],
    ['a shard of a GGUF', 'shards', linked(/00003-of/), undefined, `00003-of-00003.gguf: ${OUT}`],
    ['the folder of graphs', 'graph', linked(/^onnx$/), undefined, `onnx: ${OUT}`],
    ['the folder of a graph that is named', 'graph', linked(/^onnx$/), /^onnx.model\.onnx$/, `onnx: ${OUT}`],
    ['the graph', 'graph', linked(/^onnx.model\.onnx$/), undefined, `onnx/model.onnx: ${OUT}`],
    ['weights of a graph', 'graph', linked(/onnx_data$/), undefined, `onnx/model.onnx_data: ${OUT}`],
    [
      'weights of a graph, by a hard link',
      'graph',
      linked(/onnx_data$/, linkSync),
      undefined,
      'onnx/model.onnx_data: hard link, which may lead out of the folder',
    ],
    ['a file beside a graph', 'graph', linked(/^tokenizer\.json$/), undefined, `tokenizer.json: ${OUT}`],
    ['a shard of a bundle', 'bundle', linked(/\.bin$/), /webgpu-f16$/, `.bin: ${OUT}`],
    [
      'the vocabulary of a bundle',
      'bundle',
      linked(/vocabulary\.json$/),
      /webgpu-f16$/,
      `vocabulary.json: ${OUT}`,
    ],
  ];
  for (const [what, from, change, inside, message] of cases) {
    it(what, async (t) => {
      const [folder, elsewhere] = [temporaryFolder(t), temporaryFolder(t)];
      cpSync(path.join(made, from), folder, { recursive: true });
      const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' });
      const named = inside === undefined ? '' : entries.find((entry) => inside.test(entry))!;
      const source = path.join(folder, named);
      change(folder, elsewhere);
      const { code, stdout, stderr } = await runCli(['inspect', source]);
      assert.deepEqual([code, stdout], [3, ''], stderr);
      assert.ok(stderr.includes(message), stderr);
      assert.equal(stderr.split('\n').length, 2);
    });
  }
});

describe('a model is read', () => {
  const cases: readonly [what: string, from: string, change: Change][] = [
    [
      'through links inside of its folder',
      'graph',
      (folder) => {
        renameSync(path.join(folder, 'onnx'), path.join(folder, 'graphs'));
        symlinkSync('graphs', path.join(folder, 'onnx'));
      },
    ],
    ['through a hard link, which is the file itself', 'checkpoint', linked(/^model\.safetensors$/, linkSync)],
  ];
  for (const [what, from, change] of cases) {
    it(what, async (t) => {
      const [folder, elsewhere] = [temporaryFolder(t), temporaryFolder(t)];
      cpSync(path.join(made, from), folder, { recursive: true });
      change(folder, elsewhere);
      const { code, stderr } = await runCli(['inspect', folder]);
      assert.equal(code, 0, stderr);
    });
  }

  it('whose file or folder is named by a link', async (t) => {
    const folder = temporaryFolder(t);
    for (const [name, target] of [
      ['x.gguf', 'gguf/checkpoint-F16.gguf'],
      ['y', 'checkpoint'],
      ['z', 'bundle/webgpu-f16'],
    ] as const) {
      symlinkSync(path.join(made, target), path.join(folder, name));
      const { code, stderr } = await runCli(['inspect', path.join(folder, name)]);
      assert.equal(code, 0, stderr);
    }
  });

  it('in a cache of the Hub, whose links lead to blobs, also when it has been moved', async (t) => {
    const [home, moved] = [temporaryFolder(t), temporaryFolder(t)];
    const root = path.join(home, 'models--org--name');
    const snapshot = path.join('snapshots', 'ab'.repeat(20));
    for (const folder of ['blobs', path.join(snapshot, 'onnx')])
      mkdirSync(path.join(root, folder), { recursive: true });
    const names = readdirSync(path.join(made, 'graph'), { recursive: true, encoding: 'utf8' }).filter(
      (name) => /\./.test(name),
    );
    for (const [index, name] of names.entries()) {
      cpSync(path.join(made, 'graph', name), path.join(root, 'blobs', `${index}`));
      const link = path.join(root, snapshot, name);
      symlinkSync(path.relative(path.dirname(link), path.join(root, 'blobs', `${index}`)), link);
    }
    renameSync(root, path.join(moved, 'models--org--name'));
    const { code, stderr } = await runCli(['inspect', path.join(moved, 'models--org--name', snapshot)]);
    assert.equal(code, 0, stderr);
  });
});

it('a path below a folder is inside of it', async (t) => {
  const [folder, elsewhere] = [temporaryFolder(t), temporaryFolder(t)];
  mkdirSync(path.join(folder, 'a', 'b'), { recursive: true });
  symlinkSync('a/b', path.join(folder, 'inner'));
  symlinkSync(elsewhere, path.join(folder, 'a', 'outer'));
  for (const name of ['a', 'a/b', 'inner']) await assertInside(folder, name);
  await assertRejects(folder, () => assertInside(folder, 'a/outer'), {
    message: /^a\/outer: symbolic link that leads out of the folder$/,
  });
  await assertRejects(folder, () => assertInside(folder, 'a/none'), { message: /^a\/none: missing/ });
});

describe('a folder of artifacts, one of which a link leads out to,', () => {
  for (const [from, name] of [
    ['gguf', /\.gguf$/],
    ['graph', /\.onnx$/],
    ['bundle', /^webgpu-f16$/],
  ] as const) {
    for (const isRecorded of [true, false]) {
      it(`is refused: ${from}, ${isRecorded ? 'with' : 'without'} a record`, async (t) => {
        const scratch = temporaryFolder(t);
        const [folder, elsewhere] = [path.join(scratch, 'm'), path.join(scratch, 'elsewhere')];
        mkdirSync(elsewhere);
        cpSync(path.join(made, from), folder, { recursive: true });
        linked(name)(folder, elsewhere);
        if (!isRecorded) rmSync(path.join(folder, 'plmpress.json'));
        for (const argv of [
          ['verify', folder, '--against', path.join(made, 'checkpoint'), '--tokens', '2'],
          ['inspect', folder],
        ]) {
          const { code, stderr } = await runCli(argv);
          assert.equal(code, 3, stderr);
          assert.match(stderr, new RegExp(OUT));
        }
      });
    }
  }
});
