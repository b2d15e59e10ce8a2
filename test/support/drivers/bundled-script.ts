import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { repoRoot } from '../paths.ts';

/** Files that code finds by its own place; all such code lies three folders below package.json. */
const FOUND_BY_PLACE: readonly (readonly [from: string, to: string])[] = [
  ['package.json', 'package.json'],
  ['dist/src/kernels/kernels.wasm', 'dist/src/kernels/kernels.wasm'],
  ['dist/src/kernels/worker.js', 'dist/src/kernels/worker.js'],
  ['dist/src/webgpu', 'dist/src/webgpu'],
  ['dist/formats/webgpu/page', 'dist/src/kernels/page'],
];

const bundles = new Map<string, Promise<string>>();

/**
 * The path of a compiled script as one file. It starts in half of the time, which counts where it is started
 * for every call that may fail. It goes when this process ends.
 */
export function bundledScript(script: string): Promise<string> {
  let bundle = bundles.get(script);
  if (bundle === undefined) {
    bundle = bundleScript(script);
    bundles.set(script, bundle);
  }
  return bundle;
}

async function bundleScript(script: string): Promise<string> {
  const root = mkdtempSync(path.join(os.tmpdir(), 'plmpress-bundle-'));
  process.on('exit', () => rmSync(root, { recursive: true, force: true }));
  mkdirSync(path.join(root, 'dist', 'src', 'kernels'), { recursive: true });
  for (const [from, to] of FOUND_BY_PLACE) symlinkSync(path.join(repoRoot, from), path.join(root, to));
  const outfile = path.join(root, 'dist', 'src', 'kernels', 'script.js');
  await build({
    entryPoints: [script],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    // Packages in CommonJS ask for modules of Node.
    banner: {
      js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
    },
    external: ['onnxruntime-node', 'webgpu'],
    logLevel: 'error',
  });
  return outfile;
}
