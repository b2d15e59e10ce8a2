import type { Command } from 'commander';
import { buildProgram } from '../../../src/cli/program.ts';

/** The command line as it is, of which nothing runs or is printed. */
export function idleProgram(): Command {
  const open = () => {
    throw new Error('nothing runs');
  };
  return buildProgram({ stdout: process.stdout, stderr: process.stderr, env: {} }, open, () => {});
}
