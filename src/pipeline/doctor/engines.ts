import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { DAWN_PACKAGE } from '../engines/dawn.ts';
import { ONNX_RUNTIME_PACKAGE } from '../engines/onnxruntime.ts';
import { type Check, note, ok } from './check.ts';
import type { ProbeResult } from './engine-probe.ts';

const PROBE = fileURLToPath(new URL('./engine-probe.js', import.meta.url));
/** Drivers that look for a GPU take up to a few seconds. */
const TIMEOUT_MS = 30_000;

export async function checkOnnxRuntime(): Promise<Check> {
  return checkEngine(ONNX_RUNTIME_PACKAGE, '`verify --engine onnxruntime` needs it');
}

export async function checkDawn(): Promise<Check> {
  return checkEngine(DAWN_PACKAGE, '`--device webgpu` needs it');
}

/** An optional package: whether it is there, and whether it works. */
async function checkEngine(name: string, use: string): Promise<Check> {
  const version = installedVersion(name);
  if (version === undefined) {
    return note(name, 'not installed', `${use}: \`npm install ${name}\` beside plmpress`);
  }
  const result = await tryOut(name);
  if (result.works)
    return ok(name, [version, ...(result.detail === undefined ? [] : [result.detail])].join(', '));
  const { what, expected } = result;
  return note(name, `${version}, ${what}`, `${use}${expected === undefined ? '' : ` with ${expected}`}`);
}

/** Tries a package in a process of its own, since drivers write to stderr and some crash. */
function tryOut(name: string): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const child = fork(PROBE, [name], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      timeout: TIMEOUT_MS,
    });
    child.on('message', (result) => {
      resolve(result as ProbeResult);
      child.kill('SIGKILL');
    });
    // Not tested: a system that can start no further process.
    child.on('error', () => resolve({ works: false, what: 'cannot be tried in a separate process' }));
    child.on('close', (code, signal) => {
      resolve({ works: false, what: `crashes its process (${signal ?? `code ${code}`})` });
    });
  });
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
