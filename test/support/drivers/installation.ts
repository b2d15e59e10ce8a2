import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { repoRoot } from '../paths.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { npmInstall } from './npm-install.ts';

/** The package as a stranger has it. */
export interface Installation {
  readonly folder: string;
  /** For programs that must do with Node alone: every connection throws. */
  readonly env: NodeJS.ProcessEnv;
  readonly packages: readonly { readonly name: string; readonly runsScript: boolean }[];
  /** Bytes of all files, or of those of one package. */
  bytes(name?: string): number;
}

/** Packs the package as it is built. Returns the path of the archive. */
export function packInto(folder: string): string {
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
  const [{ filename }] = JSON.parse(execFileSync('npm', pack, { cwd: repoRoot, encoding: 'utf8', stdio }));
  return path.join(folder, filename);
}

/** Installs the packed package into an empty folder; a reason where no registry can be reached. */
export async function installPackage(t: TestContext): Promise<Installation | string> {
  const folder = temporaryFolder(t);
  const unreachable = npmInstall(folder, ['--omit=dev', packInto(folder)]);
  if (unreachable !== undefined) return unreachable;
  const modules = path.join(folder, 'node_modules');
  const lock = JSON.parse(readFileSync(path.join(modules, '.package-lock.json'), 'utf8'));
  const packages = Object.entries(lock.packages as Record<string, { hasInstallScript?: boolean }>).map(
    ([name, { hasInstallScript = false }]) => ({ name, runsScript: hasInstallScript }),
  );
  return { folder, env: nodeAlone(folder), packages, bytes: (name = '') => sizeOf(path.join(modules, name)) };
}

function programOnPath(name: string): string {
  const candidates = process.env.PATH!.split(path.delimiter).map((folder) => path.join(folder, name));
  const found = candidates.find((candidate) => existsSync(candidate));
  if (found === undefined) throw new Error(`${name} is not on the path`);
  return found;
}

function nodeAlone(folder: string): NodeJS.ProcessEnv {
  const programs = path.join(folder, 'programs');
  mkdirSync(programs);
  symlinkSync(process.execPath, path.join(programs, 'node'));
  // Not always beside Node, and it runs what it finds by a shell.
  for (const name of ['npx', 'sh']) symlinkSync(programOnPath(name), path.join(programs, name));
  const hook = path.join(folder, 'no-network.mjs');
  writeFileSync(
    hook,
    `import net from 'node:net';
net.Socket.prototype.connect = () => { throw new Error('a connection was tried'); };
`,
  );
  return { PATH: programs, HOME: folder, NODE_OPTIONS: `--import=${hook}` };
}

function sizeOf(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  return files.reduce((sum, file) => sum + statSync(path.join(file.parentPath, file.name)).size, 0);
}
