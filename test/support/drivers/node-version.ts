import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { repoRoot } from '../paths.ts';
import { npmInstall } from './npm-install.ts';

/** Outlives `npm install`, and is no folder that programs are looked for in. */
const CACHE = path.join(repoRoot, 'node_modules', '.cache', 'node-versions');

/**
 * Path of a Node.js of that version, which the package `node` of npm gives: kept from an earlier run, or
 * fetched (45 MB).
 * @returns a reason where no registry can be reached.
 */
export function fetchNode(version: string): { readonly program: string } | string {
  const home = path.join(CACHE, version);
  const program = path.join(home, 'node_modules', 'node', 'bin', 'node');
  if (existsSync(program)) return { program };
  mkdirSync(CACHE, { recursive: true });
  // What a run that was killed leaves is never taken for a whole one.
  const folder = mkdtempSync(path.join(CACHE, '.fetch-'));
  try {
    // Its script fetches the package with the binary of this platform.
    const unreachable = npmInstall(folder, ['--ignore-scripts=false', `node@${version}`]);
    if (unreachable !== undefined) return unreachable;
    rmSync(home, { recursive: true, force: true });
    renameSync(folder, home);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const got = execFileSync(program, ['--version'], { encoding: 'utf8' }).trim();
  if (got !== `v${version}`) throw new Error(`${program} is ${got}`);
  return { program };
}
