import { spawn } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build, type Plugin } from 'esbuild';
import { repoRoot } from '../../test/support/paths.ts';
import { type Mutation, mutated } from './mutation.ts';

/** What a mutated program may write to, or what a link would lead out of: the rest is linked. */
const COPIED = ['dist', 'bin', 'package.json'];

/** Most milliseconds of a test file: a mutation may make it wait forever. */
const TIME_LIMIT = 5 * 60_000;

/** A copy of the built repository, in which files may be broken. */
export class Checkout {
  readonly #folder: string;

  static async open(): Promise<Checkout> {
    const folder = await mkdtemp(path.join(tmpdir(), 'plmpress-mutate-'));
    // Tests of permissions are other users for a while.
    await chmod(folder, 0o755);
    for (const name of await readdir(repoRoot)) {
      const [from, to] = [path.join(repoRoot, name), path.join(folder, name)];
      if (COPIED.includes(name)) await cp(from, to, { recursive: true });
      else if (name !== '.git') await symlink(from, to);
    }
    await mkdir(path.join(folder, 'tmp'));
    return new Checkout(folder);
  }

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Runs `work` with the compiled file of a mutation in place. */
  async with<T>(mutation: Mutation, work: () => Promise<T>): Promise<T> {
    const { file } = mutation;
    const compiled = path.join('dist', file.replace(/\.ts$/, '.js'));
    await build({
      stdin: { contents: mutated(mutation), sourcefile: file, resolveDir: this.#folder, loader: 'ts' },
      outfile: path.join(this.#folder, compiled),
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'es2023',
      logLevel: 'warning',
      plugins: [COMPILED_IMPORTS],
    });
    try {
      return await work();
    } finally {
      await cp(path.join(repoRoot, compiled), path.join(this.#folder, compiled));
    }
  }

  /**
   * Runs a test file until a test fails, whose name it returns; undefined where all pass. Throws where it
   * ends without a word of tests: such code does not even load.
   */
  async test(name: string): Promise<string | undefined> {
    const file = path.join(this.#folder, 'dist', 'test', `${name}.test.js`);
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const child = spawn(process.execPath, ['--test-reporter=tap', file], {
      cwd: this.#folder,
      env: { ...env, TMPDIR: path.join(this.#folder, 'tmp') },
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: TIME_LIMIT,
    });
    let said = '';
    let failed: string | undefined;
    child.stdout.setEncoding('utf8').on('data', (text) => {
      said += text;
      failed ??= /^\s*not ok \d+ - (.*)$/m.exec(said)?.[1];
      if (failed !== undefined) child.kill();
    });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject).on('close', resolve);
    });
    if (failed !== undefined) return failed;
    if (code === null) return 'the time limit';
    if (code !== 0 || !/^\s*ok \d/m.test(said))
      throw new Error(`${name}: ended with code ${code}, no test ran`);
    return undefined;
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Leaves imports as they are, but for the extension that compiled files have. */
const COMPILED_IMPORTS: Plugin = {
  name: 'compiled-imports',
  setup(esbuild) {
    esbuild.onResolve({ filter: /./ }, ({ path: specifier }) => ({
      path: specifier.replace(/^(\..*)\.ts$/, '$1.js'),
      external: true,
    }));
  },
};
