import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { PressError } from '../../core/errors.ts';
import { DAWN_PACKAGE, openAdapter } from '../engines/dawn.ts';
import { loadOnnxRuntime, ONNX_RUNTIME_PACKAGE } from '../engines/onnxruntime.ts';
import { type Check, note, ok } from './check.ts';

export async function checkOnnxRuntime(): Promise<Check> {
  return checkEngine(ONNX_RUNTIME_PACKAGE, '`verify --engine onnxruntime` wants it', async () => {
    await loadOnnxRuntime();
    return undefined;
  });
}

export async function checkDawn(): Promise<Check> {
  return checkEngine(DAWN_PACKAGE, '`--device webgpu` wants it', async () => {
    const { info } = await openAdapter();
    const { vendor, architecture, description } = info;
    return `GPU ${description || [vendor, architecture].filter(Boolean).join(' ') || 'without a name'}`;
  });
}

/** An optional package: whether it is there, and whether it works. */
async function checkEngine(
  name: string,
  use: string,
  tryOut: () => Promise<string | undefined>,
): Promise<Check> {
  const version = installedVersion(name);
  if (version === undefined) {
    return note(name, 'not installed', `${use}: \`npm install ${name}\` beside plmpress`);
  }
  try {
    const detail = await tryOut();
    return ok(name, [version, ...(detail === undefined ? [] : [detail])].join(', '));
  } catch (error) {
    const { what, expected } = error instanceof PressError ? error.fault : { what: 'cannot be loaded' };
    return note(name, `${version}, ${what}`, `${use}${expected === undefined ? '' : ` with ${expected}`}`);
  }
}

/** By the package.json of what would be loaded; its own exports may not name it. */
function installedVersion(name: string): string | undefined {
  let file: string;
  try {
    file = createRequire(import.meta.url).resolve(name);
  } catch {
    return undefined;
  }
  const folder = file.slice(0, file.lastIndexOf(path.join('node_modules', name)));
  return JSON.parse(readFileSync(path.join(folder, 'node_modules', name, 'package.json'), 'utf8')).version;
}
