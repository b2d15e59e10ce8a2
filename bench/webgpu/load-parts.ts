import path from 'node:path';
import { build } from 'esbuild';
import { repoRoot } from '../../test/support/paths.ts';

export type WebgpuParts = typeof import('./parts.ts');

/** Loads the parts: Node cannot import their shaders before a bundler has put them in. */
export async function loadWebgpuParts(): Promise<WebgpuParts> {
  const { outputFiles } = await build({
    entryPoints: [path.join(repoRoot, 'bench', 'webgpu', 'parts.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    loader: { '.wgsl': 'text' },
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0]!.contents).toString('base64')}`);
}
