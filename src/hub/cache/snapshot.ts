import { lstat, open, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { localIo, type PressError } from '../../core/errors.ts';
import { GIT_ID } from '../../core/json/hashes.ts';
import { assertFreeSpace } from '../../io/free-space.ts';
import { createFolder } from '../../io/output-folder.ts';
import { Refusals } from '../../io/refusals.ts';
import { SourceFolder } from '../../io/source-folder.ts';
import { bytesLeft, type DownloadOptions, download } from '../download.ts';
import { hubFault } from '../http/fault.ts';
import { type HubSource, printHubSource } from '../hub-source.ts';
import { remoteFolder } from '../remote-folder.ts';
import type { HubRun } from '../run.ts';
import { type HubFile, type HubTree, listTree, resolveRevision } from '../tree.ts';
import { RepositoryCache } from './cache.ts';
import { contentHash } from './content-hash.ts';
import { isLocked, waitForLock } from './wait-for-lock.ts';

/** Files that come at once: a server gives one connection less than a line can take. */
const FILES_AT_ONCE = 4;

/**
 * What a repository holds at the commit that a source means now. Commits never change, so each is listed only
 * once. Offline, of a commit that no tool has kept a listing of, it is what the cache has.
 * @throws PressError `network` if the Hub does not answer, or, offline, if the cache does not have it.
 */
export async function openTree(run: HubRun, source: HubSource): Promise<HubTree> {
  const { settings } = run;
  const { repository, revision } = source;
  const cache = new RepositoryCache(settings, repository);
  await cache.mend();
  if (settings.offline) {
    const commit = await cache.knownCommit(revision);
    const origin = commit === undefined ? undefined : { repository, revision: commit };
    const tree = origin && ((await cache.knownTree(origin)) ?? (await cache.snapshotTree(origin)));
    if (!tree) throw offline(printHubSource(source));
    return tree;
  }
  const pinned = GIT_ID.test(revision) && (await cache.knownTree({ repository, revision }));
  if (pinned) return pinned;
  const commit = await resolveRevision(run, repository, revision);
  const origin = { repository, revision: commit };
  return (await cache.knownTree(origin)) ?? (await listTree(run, origin));
}

/** A folder of a repository, whose files are read where they are: on the Hub, or offline in the cache. */
export function openFolder(run: HubRun, tree: HubTree, inside?: string): Promise<SourceFolder> {
  if (!run.settings.offline) return Promise.resolve(remoteFolder(run, tree, inside));
  const snapshot = new RepositoryCache(run.settings, tree.repository).snapshotPath(tree);
  return SourceFolder.open(path.join(snapshot, ...(inside?.split('/') ?? [])));
}

/** The error for a file that is not in the cache. */
export function offline(file: string): PressError {
  return hubFault(file, 'is not in the cache, and HF_HUB_OFFLINE is set');
}

export interface SnapshotOptions extends HubRun {
  /** As the user asked for it: the name of a branch is kept in the cache. */
  readonly source: HubSource;
  readonly tree: HubTree;
  /** Of the tree, those that are needed. */
  readonly files: readonly HubFile[];
  /** Whether existing files are hashed once more. */
  readonly thorough?: boolean;
}

/**
 * Brings files of a commit into the cache and returns the folder of the snapshot. What is complete is only
 * read.
 * @throws PressError `network` and `local-io` as `download` does; complete files are kept.
 */
export async function takeSnapshot(options: SnapshotOptions): Promise<string> {
  const { settings, source, tree, files } = options;
  const cache = new RepositoryCache(settings, tree.repository);
  const missing: HubFile[] = [];
  for (const file of files) if (!(await isThere(cache, options, file))) missing.push(file);
  if (settings.offline && missing.length > 0) throw offline(`${tree.repository}/${missing[0]!.path}`);
  if (missing.length > 0) await assertRoom(cache, options, missing);
  const refusals = new Refusals();
  await inParallel(missing, options, (file, signal, onBytes) =>
    bring(cache, { ...options, refusals, signal }, file, onBytes),
  );
  const note = refusals.note(settings.cache);
  if (note !== undefined) options.progress?.({ kind: 'note', message: note });
  if (settings.offline) return cache.snapshotPath(tree);
  await cache.rememberTree(tree);
  await cache.rememberCommit(source.revision, tree.revision).catch((error) => {
    // A cache that has all files may be read-only.
    if (missing.length > 0) throw error;
  });
  return cache.snapshotPath(tree);
}

/**
 * @throws PressError `local-io` where the file system of the cache has too little space left for these files.
 */
async function assertRoom(
  cache: RepositoryCache,
  { settings }: HubRun,
  files: readonly HubFile[],
): Promise<void> {
  let bytes = 0;
  for (const file of files) {
    const blob = cache.blobPath(file);
    const stats = await stat(blob).catch(() => undefined);
    // Another commit may have the same content.
    if (stats?.size !== file.bytes) bytes += await bytesLeft(file, blob);
  }
  await createFolder(settings.cache);
  await assertFreeSpace(settings.cache, bytes);
}

async function isThere(
  cache: RepositoryCache,
  { settings, tree, thorough, signal }: SnapshotOptions,
  file: HubFile,
): Promise<boolean> {
  if (!(await cache.has(tree, file))) return false;
  if (!thorough || file.oid === undefined) return true;
  const at = cache.filePath(tree, file);
  if (!settings.offline) return removeUnlessSound(at, file, signal);
  if (await hasContent(at, file, signal)) return true;
  throw hubFault(`${tree.repository}/${file.path}`, 'is damaged in the cache, and HF_HUB_OFFLINE is set');
}

/**
 * Runs `fetchOne` for all files, some at a time, and reports the progress of all. The first failure ends the
 * others.
 */
export async function inParallel(
  files: readonly HubFile[],
  { progress, signal }: HubRun,
  fetchOne: (file: HubFile, signal: AbortSignal, onBytes: (bytes: number) => void) => Promise<void>,
): Promise<void> {
  if (files.length === 0) return;
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  progress?.({ kind: 'phase', name: 'download', total, unit: 'bytes' });
  const stop = new AbortController();
  const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const done = new Map<HubFile, number>();
  let sum = 0;
  const queue = files.values();
  const worker = async () => {
    for (const file of queue) {
      both.throwIfAborted();
      await fetchOne(file, both, (bytes) => {
        sum += bytes - (done.get(file) ?? 0);
        done.set(file, bytes);
        progress?.({ kind: 'advance', done: sum, item: file.path });
      });
    }
  };
  const workers = Array.from({ length: FILES_AT_ONCE }, () =>
    worker().catch((error) => {
      stop.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(workers);
  if (signal?.aborted && sum > 0) {
    progress?.({
      kind: 'note',
      message: 'the downloaded bytes are kept: the same command continues the download',
    });
  }
  signal?.throwIfAborted();
  stop.signal.throwIfAborted();
}

/** Brings one file of a snapshot. Two runs share one transfer: the second waits, and finds what it needs. */
async function bring(
  cache: RepositoryCache,
  options: SnapshotOptions & Pick<DownloadOptions, 'refusals'>,
  file: HubFile,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const { tree, signal } = options;
  const destination = cache.blobPath(file);
  const lockPath = cache.lockPath(file);
  for (const folder of [path.dirname(destination), path.dirname(lockPath)]) {
    await createFolder(folder);
  }
  for (;;) {
    const lock = await waitForLock(lockPath, file.path, options);
    try {
      if ((await cache.has(tree, file)) && (await hasContent(cache.filePath(tree, file), file, signal))) {
        return onBytes(file.bytes);
      }
      const isNew = !(await isSoundBlob(destination, file, signal));
      if (isNew) {
        const confirm = () => lock.assertHeld();
        await download({ ...options, origin: tree, file, destination, onBytes, confirm });
      } else onBytes(file.bytes);
      return await cache.link(tree, file, isNew);
    } catch (error) {
      // This process was suspended for so long that another run has taken over, and brings the file.
      if (!isLocked(error)) throw error;
    } finally {
      await lock.release();
    }
  }
}

/**
 * Whether a blob is there with its content; another run or another tool may have brought it, and may not have
 * checked it.
 */
async function isSoundBlob(blob: string, file: HubFile, signal?: AbortSignal): Promise<boolean> {
  const isThere = await lstat(blob).then(
    () => true,
    () => false,
  );
  return isThere && (await removeUnlessSound(blob, file, signal));
}

/** Whether a file has its hash. If not, it is removed, so that its name is never wrong. */
async function removeUnlessSound(at: string, file: HubFile, signal?: AbortSignal): Promise<boolean> {
  if (await hasContent(at, file, signal)) return true;
  await unlink(at).catch((error) => {
    throw localIo(at, error);
  });
  return false;
}

/** Whether the file at a path has the content that a repository lists. */
export async function hasContent(at: string, file: HubFile, signal?: AbortSignal): Promise<boolean> {
  const stats = await stat(at).catch(() => undefined);
  if (!stats?.isFile() || stats.size !== file.bytes) return false;
  const hash = contentHash(file);
  try {
    const handle = await open(at);
    try {
      for await (const chunk of handle.createReadStream({ autoClose: false })) {
        signal?.throwIfAborted();
        hash.update(chunk);
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw localIo(at, error);
  }
  return hash.digest('hex') === file.oid;
}
