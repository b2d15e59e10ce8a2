import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { repoRoot } from './support/paths.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

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

/** Packs the package as it is built and unpacks it in `folder`, where no `node_modules` is in reach. */
function unpack(folder: string): string {
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const [{ filename }] = JSON.parse(execFileSync('npm', pack, { cwd: repoRoot, encoding: 'utf8' }));
  execFileSync('tar', ['-xzf', filename], { cwd: folder });
  return path.join(folder, 'package');
}

function importsOf(file: string): string[] {
  const statement = /\bfrom ['"]([^'"]+)['"];$|^import ['"]([^'"]+)['"];$|\bimport\(['"]([^'"]+)['"]\)/gm;
  return [...readFileSync(file, 'utf8').matchAll(statement)].map(
    ([, from, bare, dynamic]) => (from ?? bare ?? dynamic)!,
  );
}
