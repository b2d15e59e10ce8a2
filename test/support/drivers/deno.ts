import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

/**
 * The package of this platform holds the program itself: its installer, which would link it, does not run.
 */
const DENO = createRequire(import.meta.url).resolve(`@deno/${platform()}/deno`);

/** Where drivers of Vulkan are listed. */
const DRIVERS = '/usr/share/vulkan/icd.d';

/** Mesa's GPU in software, another one than Chromium's and several times faster. */
const LAVAPIPE = existsSync(DRIVERS) && readdirSync(DRIVERS).find((name) => name.startsWith('lvp_icd.'));

/** Why Deno has no GPU here; false where it has. */
export const NO_DENO: string | false =
  !LAVAPIPE && 'mesa-vulkan-drivers is not installed: Deno has no GPU in software';

function platform(): string {
  const system = { linux: 'linux', darwin: 'darwin', win32: 'windows' }[process.platform as 'linux'];
  return `${system}-${process.arch}${process.platform === 'linux' ? '-glibc' : ''}`;
}

/**
 * What an expression of JavaScript comes to in Deno, whose WebGPU is wgpu, on the GPU in software; it may
 * wait.
 */
export async function evaluateInDeno(expression: string): Promise<unknown> {
  const code = `console.log(JSON.stringify(await ${expression})); Deno.exit(0);`;
  const url = `data:text/javascript,${encodeURIComponent(code)}`;
  const { stdout } = await promisify(execFile)(DENO, ['run', '-A', '--no-check', '--unstable-webgpu', url], {
    env: {
      ...process.env,
      VK_ICD_FILENAMES: path.join(DRIVERS, LAVAPIPE || ''),
      XDG_RUNTIME_DIR: os.tmpdir(),
      NO_COLOR: '1',
    },
    maxBuffer: 2 ** 28,
  });
  return JSON.parse(stdout);
}
