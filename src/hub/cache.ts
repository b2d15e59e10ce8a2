import { copyFile, lstat, mkdir, readFile, readlink, rename, stat, symlink, unlink } from 'node:fs/promises';
import path from 'node:path';
import { localIo } from '../core/errors.ts';
import type { HubOrigin } from '../core/model.ts';
import { replaceFile } from '../io/replace-file.ts';
import { temporaryPath } from '../io/temporary-file.ts';
import type { HubSettings } from './settings.ts';
import { COMMIT, type HubFile, type HubTree, isHubFile } from './tree.ts';

/**
 * The part of the cache that holds one repository, in the layout that all tools of the Hub share: `blobs/<oid>`,
 * `snapshots/<commit>/<path>` linking to them, `refs/<revision>` with a commit. In `trees/<commit>.json`, which only
 * plmpress reads, the files of a commit are listed.
 */
export class RepositoryCache {
  readonly #root: string;
  readonly #locks: string;

  constructor({ cache }: HubSettings, repository: string) {
    const name = `models--${repository.replace('/', '--')}`;
    this.#root = path.join(cache, name);
    this.#locks = path.join(cache, '.locks', name);
  }

  blobPath({ oid }: HubFile): string {
    return path.join(this.#root, 'blobs', oid);
  }

  lockPath({ oid }: HubFile): string {
    return path.join(this.#locks, `${oid}.plmpress.lock`);
  }

  snapshotPath({ revision }: Pick<HubOrigin, 'revision'>): string {
    return path.join(this.#root, 'snapshots', revision);
  }

  /** Makes a path of the snapshot lead to its blob. */
  async link(tree: HubOrigin, file: HubFile): Promise<void> {
    const link = path.join(this.snapshotPath(tree), ...file.path.split('/'));
    const target = path.relative(path.dirname(link), this.blobPath(file));
    if ((await readlink(link).catch(() => undefined)) === target) return;
    const temporary = temporaryPath(link);
    try {
      await mkdir(path.dirname(link), { recursive: true });
      await symlink(target, temporary).catch(async (error: NodeJS.ErrnoException) => {
        // Windows lets few users make links.
        if (error.code !== 'EPERM') throw error;
        await copyFile(this.blobPath(file), temporary);
      });
      await rename(temporary, link);
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw localIo(link, error);
    }
  }

  /** Whether a path of the snapshot leads to a file of the right size. */
  async has(tree: HubOrigin, file: HubFile): Promise<boolean> {
    const link = path.join(this.snapshotPath(tree), ...file.path.split('/'));
    return stat(link).then(
      (stats) => stats.isFile() && stats.size === file.bytes,
      () => false,
    );
  }

  /** The commit that a revision led to when it was asked for last. */
  async knownCommit(revision: string): Promise<string | undefined> {
    if (COMMIT.test(revision)) return revision;
    const text = await readFile(this.#refPath(revision), 'latin1').catch(() => undefined);
    const commit = text?.trim();
    return commit !== undefined && COMMIT.test(commit) ? commit : undefined;
  }

  async rememberCommit(revision: string, commit: string): Promise<void> {
    if (revision !== commit) await write(this.#refPath(revision), commit);
  }

  /** What a commit holds; undefined where it has not been listed yet, or what was kept is no listing. */
  async knownTree({ repository, revision }: HubOrigin): Promise<HubTree | undefined> {
    const text = await readFile(this.#treePath(revision), 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    let files: unknown;
    try {
      files = JSON.parse(text);
    } catch {
      return undefined;
    }
    return Array.isArray(files) && files.every(isHubFile) ? { repository, revision, files } : undefined;
  }

  async rememberTree({ revision, files }: HubTree): Promise<void> {
    const known = await lstat(this.#treePath(revision)).catch(() => undefined);
    if (known === undefined) await write(this.#treePath(revision), JSON.stringify(files));
  }

  #refPath(revision: string): string {
    return path.join(this.#root, 'refs', ...revision.split('/'));
  }

  #treePath(commit: string): string {
    return path.join(this.#root, 'trees', `${commit}.json`);
  }
}

async function write(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true }).catch((error) => {
    throw localIo(file, error);
  });
  await replaceFile(file, Buffer.from(text));
}
