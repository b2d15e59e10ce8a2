import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

/** What npm says where a registry cannot be asked. */
const UNREACHABLE = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED)\b/;

/** Installs packages into an empty folder. Returns a reason where no registry can be reached. */
export function npmInstall(folder: string, argv: readonly string[]): string | undefined {
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true }');
  const install = ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  const { status, stderr } = spawnSync('npm', [...install, ...argv], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (status === 0) return undefined;
  const [unreachable] = UNREACHABLE.exec(stderr) ?? [];
  if (unreachable) return `no registry of npm can be reached (${unreachable})`;
  throw new Error(stderr);
}
