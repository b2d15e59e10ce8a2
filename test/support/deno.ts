import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import os from 'node:os';
import { promisify } from 'node:util';
import { SWIFTSHADER } from './onnxruntime.ts';

/** The package of this platform holds the program itself: its installer, which would link it, does not run. */
const DENO = createRequire(import.meta.url).resolve(`@deno/${platform()}/deno`);

function platform(): string {
  const system = { linux: 'linux', darwin: 'darwin', win32: 'windows' }[process.platform as 'linux'];
  return `${system}-${process.arch}${process.platform === 'linux' ? '-glibc' : ''}`;
}

/** What an expression of JavaScript comes to in Deno, whose WebGPU is wgpu, on the GPU in software; it may wait. */
export async function evaluateInDeno(expression: string): Promise<unknown> {
  const code = `console.log(JSON.stringify(await ${expression})); Deno.exit(0);`;
  const url = `data:text/javascript,${encodeURIComponent(code)}`;
  const { stdout } = await promisify(execFile)(DENO, ['run', '-A', '--no-check', '--unstable-webgpu', url], {
    env: { ...process.env, VK_ICD_FILENAMES: SWIFTSHADER, XDG_RUNTIME_DIR: os.tmpdir(), NO_COLOR: '1' },
    maxBuffer: 2 ** 28,
  });
  return JSON.parse(stdout);
}
