import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { repoRoot } from '../paths.ts';

/** runtime.js as bundles hold it. */
const RUNTIME = path.join(repoRoot, 'dist', 'src', 'webgpu', 'runtime.js');

export function webgpuRuntime(): Promise<typeof import('../../../src/webgpu/runtime.ts')> {
  return import(pathToFileURL(RUNTIME).href);
}
