import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What a process of its own has cost. */
export interface ProcessCost {
  readonly wallSeconds: number;
  /** Of all threads, in user and system mode. */
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

const CHILD = fileURLToPath(new URL('./measured-child.js', import.meta.url));

/**
 * Runs `work` of bench/measured-child.ts with `args` in a process of its own, so that its memory and
 * processor time are its own. Wall time is that of the work: starting Node is not what is compared.
 */
export function costOf(work: string, args: readonly string[]): Promise<ProcessCost> {
  const child = spawn(process.execPath, [CHILD, work, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(output.trimEnd().split('\n').at(-1)!));
      else reject(new Error(`${work} ended with ${code}`));
    });
  });
}
