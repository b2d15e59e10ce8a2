import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { readFigures } from '../bench/claims/figures.ts';
import { type Installation, installPackage, packInto } from './support/drivers/installation.ts';
import { fixture, repoRoot } from './support/paths.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

/** Everything that may be in the package. */
const SHIPPED: readonly RegExp[] = [
  /^(package\.json|README\.md|CHANGELOG\.md|LICENSE|THIRD-PARTY-NOTICES\.txt)$/,
  /^bin\/[\w-]+\.js$/,
  /^docs\/([\w-]+\/)?[\w-]+\.md$/,
  /^dist\/(src|formats|calibration)\/([\w-]+\/)*[\w-]+\.(js|d\.ts)$/,
  /^dist\/src\/kernels\/kernels\.wasm$/,
  /^calibration\/text\/(README\.md|(prose|chinese|languages|code)\.txt|dialogues\.json)$/,
  /^dist\/formats\/webgpu\/page\/(index\.html|style\.css)$/,
];

describe('the published package', () => {
  it('needs no package that it does not name, least of all those bundled for it', async (t) => {
    const folder = unpack(temporaryFolder(t));
    const { dependencies, peerDependencies } = JSON.parse(
      readFileSync(path.join(folder, 'package.json'), 'utf8'),
    );
    const shipped = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    assert.ok(shipped.includes('THIRD-PARTY-NOTICES.txt'));
    assert.ok(shipped.includes('dist/src/kernels/kernels.wasm'));
    assert.deepEqual(
      shipped.filter((file) => /^dist\/(test|bench|fixtures)\b|(?<!\.d)\.ts$/.test(file)),
      [],
    );

    const wrong: string[] = [];
    for (const file of shipped.filter((name) => /\.(js|d\.ts)$/.test(name))) {
      for (const specifier of importsOf(path.join(folder, file))) {
        // Declarations keep the `.ts` of their sources, which a compiler takes for the `.d.ts` beside them.
        const target = specifier.replace(/\.ts$/, '.d.ts');
        const found = specifier.startsWith('.')
          ? existsSync(path.join(folder, path.dirname(file), target))
          : specifier.startsWith('node:') ||
            Object.hasOwn({ ...dependencies, ...peerDependencies }, specifier);
        if (!found) wrong.push(`${file} -> ${specifier}`);
      }
    }
    assert.deepEqual(wrong, []);

    const proto = path.join(folder, 'dist/formats/onnx/proto.js');
    const { onnx } = (await import(pathToFileURL(proto).href)) as typeof import('../formats/onnx/proto.ts');
    const bytes = onnx.ModelProto.encode({ irVersion: 10, producerName: 'plmpress' }).finish();
    assert.equal(onnx.ModelProto.decode(bytes).producerName, 'plmpress');
  });

  it('brings the licences of what is bundled', () => {
    const squeeze = (file: string) =>
      readFileSync(path.join(repoRoot, file), 'utf8').replaceAll(/\s+/g, ' ').trim();
    const notices = [squeeze('THIRD-PARTY-NOTICES.txt'), squeeze('LICENSE')];
    const bundle = readFileSync(path.join(repoRoot, 'dist/formats/onnx/proto.js'), 'utf8');
    // The bundler names the file of each part.
    const packages = new Set(bundle.match(/(?<=^\/\/ ).*node_modules\/(@[^/]+\/)?[^/]+(?=\/.*$)/gm));
    assert.equal(packages.size, 3);
    for (const folder of packages) {
      const licence = squeeze(path.join(folder, 'LICENSE'));
      assert.ok(
        notices.some((text) => text.includes(licence)),
        folder,
      );
    }
  });
});

describe('the list of files', () => {
  it('has what is meant to be there and nothing else', () => {
    const list = execFileSync('npm', ['pack', '--dry-run', '--ignore-scripts', '--json'], {
      cwd: repoRoot,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const files = (JSON.parse(list)[0].files as { path: string }[]).map(({ path: name }) => name);
    const unknown = files.filter((name) => !SHIPPED.some((pattern) => pattern.test(name)));
    assert.deepEqual(unknown, []);
    for (const pattern of SHIPPED)
      assert.ok(
        files.some((name) => pattern.test(name)),
        String(pattern),
      );
  });
});

const DEPENDENCIES = readFileSync(path.join(repoRoot, 'docs', 'dependencies.md'), 'utf8');

describe('docs/dependencies.md', () => {
  const manifest = JSON.parse(readFileSync(path.join(repoRoot, 'package.json'), 'utf8'));

  for (const [heading, field] of [
    ['Runtime', 'dependencies'],
    ['Optional', 'peerDependencies'],
    ['Development', 'devDependencies'],
  ] as const) {
    it(`names the ${field} of package.json, each with its licence where it is shipped`, () => {
      const [, section = ''] = DEPENDENCIES.split(`\n## ${heading}\n`);
      const rows = [...section.split('\n## ')[0]!.matchAll(/^\| `([^`]+)` \| (.*) \|$/gm)];
      assert.deepEqual(
        rows.map(([, name]) => name),
        Object.keys(manifest[field]),
      );
      for (const [, name, cells] of heading === 'Runtime' ? rows : []) {
        const file = path.join(repoRoot, 'node_modules', name!, 'package.json');
        assert.equal(cells!.split(' | ')[2], JSON.parse(readFileSync(file, 'utf8')).license);
      }
    });
  }
});

describe('an installation in an empty folder', () => {
  it('converts with no network, no compiler and no package for development', async (t) => {
    const installation = await installPackage(t);
    // Without a registry there is nothing to install from: the text says so.
    if (typeof installation === 'string') return t.skip(installation);
    const { packages, bytes } = installation;
    assert.deepEqual(
      packages.filter(({ runsScript }) => runsScript),
      [],
    );
    const [megabytes, count, own] = tested('docs/dependencies.md');
    assert.deepEqual(tested('README.md'), [megabytes, count]);
    assert.equal(packages.length, Number(count));
    assertClose(bytes(), Number(megabytes));
    assertClose(bytes('plmpress'), Number(own));

    const output = path.join(installation.folder, 'out');
    const converted = run(installation, [
      ...['convert', fixture('plm-tiny'), '--to', 'gguf:q8_0', '--to', 'onnx:q8', '--to', 'webgpu:q4'],
      ...['-o', output, '--json'],
    ]);
    assert.equal(JSON.parse(converted).artifacts.length, 3);
    const verified = run(installation, [
      ...['verify', path.join(output, 'plm-tiny-Q8_0.gguf'), '--against', fixture('plm-tiny')],
      ...['--tokens', '100', '--json'],
    ]);
    assert.equal(JSON.parse(verified).passed, true);
  });
});

/** The figures that a page says this test holds. */
function tested(page: string): string[] {
  const { marks } = readFigures(readFileSync(path.join(repoRoot, page), 'utf8'));
  return marks
    .filter(({ source }) => source === 'test')
    .flatMap(({ figures }) => figures.map(({ text }) => text));
}

/** Within 10 %: newer patches of what dependencies depend on move it a little. */
function assertClose(bytes: number, megabytes: number): void {
  const ratio = bytes / 1e6 / megabytes;
  assert.ok(ratio > 0.9 && ratio < 1.1, `${bytes} bytes, the page says ${megabytes} MB`);
}

/** `npx plmpress …`, where nothing but Node is on the path and every connection throws. */
function run({ folder, env }: Installation, argv: readonly string[]): string {
  return execFileSync('npx', ['--offline', 'plmpress', ...argv], {
    cwd: folder,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Packs the package as it is built and unpacks it in `folder`, where no `node_modules` is in reach. */
function unpack(folder: string): string {
  execFileSync('tar', ['-xzf', packInto(folder)], { cwd: folder });
  return path.join(folder, 'package');
}

function importsOf(file: string): string[] {
  const statement = /\bfrom ['"]([^'"]+)['"];$|^import ['"]([^'"]+)['"];$|\bimport\(['"]([^'"]+)['"]\)/gm;
  return [...readFileSync(file, 'utf8').matchAll(statement)].map(
    ([, from, bare, dynamic]) => (from ?? bare ?? dynamic)!,
  );
}
