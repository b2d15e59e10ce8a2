import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { BINARY } from '../../test/support/drivers/run-cli.ts';

/** Runs the program; throws where it fails. */
export async function program(...argv: readonly string[]): Promise<void> {
  await promisify(execFile)(process.execPath, [BINARY, ...argv, '--quiet']);
}

/** Runs the program, and interrupts it as soon as `isUnderWay`. It may have ended before. */
export async function interruptedProgram(
  isUnderWay: () => boolean,
  ...argv: readonly string[]
): Promise<void> {
  const child = spawn(process.execPath, [BINARY, ...argv, '--quiet'], { stdio: 'ignore' });
  const watch = setInterval(() => {
    // Once: a second signal would end it before it has kept anything.
    if (!isUnderWay()) return;
    child.kill('SIGINT');
    clearInterval(watch);
  }, 5);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject).on('close', resolve);
  });
  clearInterval(watch);
  if (code !== 0 && code !== 130) throw new Error(`${argv.join(' ')}: exit code ${code}`);
}
