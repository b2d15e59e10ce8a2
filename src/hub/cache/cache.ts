import { copyFile, readdir, readlink, stat, symlink, unlink } from 'node:fs/promises';
import path from 'node:path';
import { localIo, PressError } from '../../core/errors.ts';
import type { HubOrigin } from '../../core/hub-origin.ts';
import { GIT_ID } from '../../core/json/hashes.ts';
import { createFolder } from '../../io/output-folder.ts';
import { readRegular } from '../../io/regular-file.ts';
import { renameOver } from '../../io/staging/rename-over.ts';
import { replaceFile } from '../../io/staging/replace-file.ts';
import { removeStaleTemporaries, temporaryPath } from '../../io/staging/temporary-file.ts';
import type { HubSettings } from '../settings.ts';
import { contentId, type HubFile, type HubTree, isContentId } from '../tree.ts';
import { keepListing, keptListing, listingOfPython, removeListsOf } from './kept-listing.ts';

/**
 * Age, in milliseconds, at which temporary files of other machines are left-overs. Their clocks may differ.
 */
const DAY = 24 * 60 * 60 * 1000;

/**
 * The part of the cache that holds one repository, in the layout that all tools of the Hub share:
 * `blobs/<oid>`, `snapshots/<commit>/<path>` linking to them (or being them, where there are no links),
 * `refs/<revision>` with a commit. huggingface_hub keeps listings of commits in `trees`; those of plmpress
 * are in a folder of its own.
 */
export class RepositoryCache {
  readonly #root: string;
  readonly #locks: string;
  readonly #listings: string;
  readonly #symlinks: boolean;

  constructor({ cache, assets, symlinks }: HubSettings, repository: string) {
    const name = `models--${repository.replace('/', '--')}`;
    this.#root = path.join(cache, name);
    this.#locks = path.join(cache, '.locks', name);
    this.#listings = path.join(assets, 'plmpress', 'listings', name);
    this.#symlinks = symlinks;
  }

  blobPath(file: HubFile): string {
    return path.join(this.#root, 'blobs', contentId(file));
  }

  lockPath(file: HubFile): string {
    return path.join(this.#locks, `${contentId(file)}.plmpress.lock`);
  }

  snapshotPath({ revision }: Pick<HubOrigin, 'revision'>): string {
    return path.join(this.#root, 'snapshots', revision);
  }

  /** Path of a file in a snapshot. */
  filePath(tree: HubOrigin, file: HubFile): string {
    return path.join(this.snapshotPath(tree), ...file.path.split('/'));
  }

  /**
   * Makes a path of the snapshot lead to its blob. Where there are no links, as on Windows and on some file
   * systems, a blob that nothing led to (`isNew`) moves there, and another is copied, as huggingface_hub does
   * it.
   */
  async link(tree: HubOrigin, file: HubFile, isNew: boolean): Promise<void> {
    const link = this.filePath(tree, file);
    const blob = this.blobPath(file);
    const target = path.relative(path.dirname(link), blob);
    if ((await readlink(link).catch(() => undefined)) === target) return;
    const temporary = temporaryPath(link);
    try {
      await createFolder(path.dirname(link));
      if (await this.#makeLink(target, temporary)) await renameOver(temporary, link);
      else if (isNew) await renameOver(blob, link);
      else {
        await copyFile(blob, temporary);
        await renameOver(temporary, link);
      }
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error instanceof PressError ? error : localIo(link, error);
    }
  }

  /** On any error of the system, the alternative succeeds or reports what is wrong. */
  async #makeLink(target: string, at: string): Promise<boolean> {
    if (!this.#symlinks) return false;
    return symlink(target, at).then(
      () => true,
      () => false,
    );
  }

  /** Whether a path of the snapshot leads to a file of the right size. */
  async has(tree: HubOrigin, file: HubFile): Promise<boolean> {
    return stat(this.filePath(tree, file)).then(
      (stats) => stats.isFile() && stats.size === file.bytes,
      () => false,
    );
  }

  /** The commit that a revision led to when it was asked for last. */
  async knownCommit(revision: string): Promise<string | undefined> {
    if (GIT_ID.test(revision)) return revision;
    const content = await readRegular(this.#refPath(revision)).catch(() => undefined);
    const commit = content?.toString('latin1').trim();
    return commit !== undefined && GIT_ID.test(commit) ? commit : undefined;
  }

  async rememberCommit(revision: string, commit: string): Promise<void> {
    if (revision === commit || (await this.knownCommit(revision)) === commit) return;
    const file = this.#refPath(revision);
    await createFolder(path.dirname(file));
    await replaceFile(file, Buffer.from(commit));
  }

  /** The files of a commit, as the Hub listed them; undefined if no tool has kept the list. */
  async knownTree(origin: HubOrigin): Promise<HubTree | undefined> {
    const { repository, revision } = origin;
    const known = await keptListing(this.#listingPath(revision), { repository, revision });
    return (
      known ?? (await listingOfPython(path.join(this.#trees, `${revision}.json`), { repository, revision }))
    );
  }

  /** Keeps a listing of the Hub. */
  async rememberTree(tree: HubTree): Promise<void> {
    await keepListing(this.#listingPath(tree.revision), tree);
  }

  /** The files of a commit in the snapshot, for use without a listing; undefined if there are none. */
  async snapshotTree({ repository, revision }: HubOrigin): Promise<HubTree | undefined> {
    const root = this.snapshotPath({ revision });
    const names = await readdir(root, { recursive: true }).catch((): string[] => []);
    const files: HubFile[] = [];
    for (const name of names) {
      const stats = await stat(path.join(root, name)).catch(() => undefined);
      if (!stats?.isFile()) continue;
      const oid = path.basename(await readlink(path.join(root, name)).catch(() => ''));
      const file = { path: name.split(path.sep).join('/'), bytes: stats.size };
      files.push(isContentId(oid) ? { ...file, oid } : file);
    }
    return files.length === 0 ? undefined : { repository, revision, files, isPartial: true };
  }

  /**
   * Removes what an older plmpress has left in a folder of huggingface_hub, and temporary files of runs that
   * were killed, which other tools would take for files of a snapshot or for revisions. Best effort.
   */
  async mend(): Promise<void> {
    await removeListsOf(this.#trees);
    const roots = ['snapshots', 'refs'].map((name) => path.join(this.#root, name));
    for (const root of [...roots, this.#locks, this.#listings]) {
      const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
      for (const folder of new Set(entries.map(({ parentPath }) => parentPath))) {
        await removeStaleTemporaries(folder, { since: Date.now() - DAY, ended: [] }).catch(() => undefined);
      }
    }
  }

  get #trees(): string {
    return path.join(this.#root, 'trees');
  }

  #refPath(revision: string): string {
    return path.join(this.#root, 'refs', ...revision.split('/'));
  }

  #listingPath(commit: string): string {
    return path.join(this.#listings, `${commit}.json`);
  }
}
