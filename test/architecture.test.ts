import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { repoRoot } from './support/paths.ts';

/** The import table of docs/architecture.md: a module may import itself and these, nothing else. */
const ARROWS = importTable(readFileSync(path.join(repoRoot, 'docs', 'architecture.md'), 'utf8'));

/** Names stand in the table without `src/`. */
function importTable(document: string): Readonly<Record<string, readonly string[]>> {
  const rows = [...document.matchAll(/^\| `([^`]+)` \| .+ \| ([^|]+) \|$/gm)];
  const modules = rows.map(([, module]) => module!);
  const named = (name: string) => {
    const found = [`src/${name}`, name].find((module) => modules.includes(module));
    assert.ok(found !== undefined, `docs/architecture.md has no row for ${name}`);
    return found;
  };
  return Object.fromEntries(
    rows
      .filter(([, , allowed]) => allowed !== 'anything')
      .map(([, module, allowed]) => [
        module!,
        allowed === 'nothing' ? [] : allowed!.split(', ').map((name) => named(name)),
      ]),
  );
}

const MODULES = Object.keys(ARROWS).sort((a, b) => b.length - a.length);

function moduleOf(file: string): string | undefined {
  return MODULES.find((module) => file === module || file.startsWith(`${module}/`));
}

function sources(): string[] {
  return ['src', 'formats', 'calibration', 'fixtures'].flatMap((top) =>
    readdirSync(path.join(repoRoot, top), { recursive: true, encoding: 'utf8' })
      .map((file) => path.join(top, file))
      // AssemblyScript is another language with its own imports and no Node.
      .filter((file) => file.endsWith('.ts') && !file.startsWith(path.join('src', 'kernels', 'assembly'))),
  );
}

function importsOf(file: string): string[] {
  const text = readFileSync(path.join(repoRoot, file), 'utf8');
  const statement =
    /^(?:import|export|\}) (?:.* )?from '([^']+)';$|^import '([^']+)';$|\bimport\('([^']+)'\)/gm;
  return [...text.matchAll(statement)].map(([, from, bare, dynamic]) => (from ?? bare ?? dynamic)!);
}

test('every source file stands in a module', () => {
  assert.deepEqual(
    sources().filter((file) => moduleOf(file) === undefined),
    [],
  );
});

test('imports point along the arrows of docs/architecture.md', () => {
  const wrong: string[] = [];
  for (const file of sources()) {
    const module = moduleOf(file)!;
    for (const specifier of importsOf(file).filter((s) => s.startsWith('.'))) {
      const target = path.join(path.dirname(file), specifier);
      const other = moduleOf(target);
      if (other !== module && !ARROWS[module]!.includes(other ?? '')) wrong.push(`${file} -> ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

/** A way of imports that leads back to where it began; empty where there is none. Types count too. */
function findCircle(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): string[] => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
    if (done.has(file)) return [];
    for (const other of imports.get(file) ?? []) {
      const circle = visit(other, [...way, file]);
      if (circle.length > 0) return circle;
    }
    done.add(file);
    return [];
  };
  for (const file of imports.keys()) {
    const circle = visit(file, []);
    if (circle.length > 0) return circle;
  }
  return [];
}

/** Folders of many things of one kind, a file each. */
const LARGE_FOLDERS = /^src\/(core\/scheme-constants|schemes|onnx\/operators)$/;
/** Of files in a folder that a reader takes in at once. */
const MOST_FILES = 17;

test('folders are small', () => {
  const counts = new Map<string, number>();
  for (const folder of sources().map((file) => path.dirname(file))) {
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  const large = [...counts].filter(([folder, count]) => count > MOST_FILES && !LARGE_FOLDERS.test(folder));
  assert.deepEqual(large, []);
});

test('imports make no circles', () => {
  const imports = new Map(
    sources().map((file) => [
      file,
      importsOf(file)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => path.join(path.dirname(file), specifier)),
    ]),
  );
  assert.deepEqual(findCircle(imports), []);
});

test('packages are imported only in their modules', () => {
  const homes: Readonly<Record<string, string>> = {
    '@huggingface/hub': 'src/hub',
    commander: 'src/cli',
    'onnx-proto': 'formats/onnx',
    'onnxruntime-node': 'src/pipeline',
    ora: 'src/cli',
    re2js: 'src/core',
    webgpu: 'src/pipeline',
  };
  const wrong: string[] = [];
  for (const file of sources()) {
    for (const specifier of importsOf(file).filter((s) => !s.startsWith('.') && !s.startsWith('node:'))) {
      if (homes[specifier] !== moduleOf(file)) wrong.push(`${file} -> ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
});

/** Modules that use the network, and what they may use of it. */
const NETWORK: Readonly<Record<string, RegExp>> = {
  'src/hub': /\bfetch\(/,
  'src/serve': /node:(http|net)'/,
  'src/webgpu': /\bfetch\(/,
  'formats/webgpu/page': /\bfetch\(/,
};

test('only the command line touches the console, only the Hub, servers and browsers the network', () => {
  const wrong: string[] = [];
  for (const file of sources()) {
    const module = moduleOf(file)!;
    const text = readFileSync(path.join(repoRoot, file), 'utf8');
    const quiet = module !== 'src/cli' && file !== path.join('fixtures', 'generate.ts');
    if (quiet && /\bconsole\.|process\.(stdout|stderr|exit\b)/.test(text)) wrong.push(`${file}: console`);
    for (const [use] of text.matchAll(/\bfetch\(|node:(http|https|net|tls|dgram)'/g)) {
      if (!NETWORK[module]?.test(use)) wrong.push(`${file}: network: ${use}`);
    }
  }
  assert.deepEqual(wrong, []);
});

/** Functions that ECMAScript leaves to the engine; their last bits differ between versions of Node. */
const ENGINE_MATH =
  /\bMath\.(exp|expm1|log|log2|log10|log1p|pow|a?sinh?|a?cosh?|a?tanh?|atan2|cbrt|hypot)\(|(?<!\b2) \*\* (?!\d)/g;
/** What only people see, or a GPU computes on: no bytes of artifacts depend on it. */
const SHOWN = ['src/report', 'src/webgpu', 'formats/webgpu/page', 'src/cli', 'src/core/text/format.ts'];

test('what reaches bytes is computed by arithmetic that IEEE 754 fixes', () => {
  const found = sources()
    .filter((file) => !SHOWN.some((place) => file.startsWith(path.normalize(place))))
    .flatMap((file) => {
      const code = readFileSync(path.join(repoRoot, file), 'utf8').replace(/^\s*(\/?\*|\/\/).*$/gm, '');
      return [...code.matchAll(ENGINE_MATH)].map(([use]) => `${file}: ${use}`);
    });
  assert.deepEqual(found, []);
});

test('what browsers run is free of Node', () => {
  const modules = ['src/webgpu', 'src/tokenizer', path.join('formats', 'webgpu', 'page')];
  const files = sources().filter((file) => modules.some((module) => file.startsWith(`${module}${path.sep}`)));
  assert.deepEqual(
    files.filter((file) => importsOf(file).some((specifier) => specifier.startsWith('node:'))),
    [],
  );
});
