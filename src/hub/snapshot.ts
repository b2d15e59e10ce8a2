import { lstat, mkdir, open, readdir, readlink, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { localIo, PressError } from '../core/errors.ts';
import type { HubOrigin } from '../core/model.ts';
import { FileLock } from '../io/file-lock.ts';
import { RepositoryCache } from './cache.ts';
import { contentHash } from './content-hash.ts';
import { download } from './download.ts';
import { type HubSource, printHubSource } from './hub-source.ts';
import type { HubRun } from './run.ts';
import { COMMIT, type HubFile, type HubTree, isContentId, listTree, resolveRevision } from './tree.ts';

/** Files that come at once: a server gives one connection less than a line can take. */
const FILES_AT_ONCE = 4;
/** Milliseconds between two looks at a file that another run is fetching. */
const LOCK_POLL = 200;

/**
 * What a repository holds at the commit that a source means now. Commits never change, so each is listed only once.
 * @throws PressError `network` where the Hub cannot tell, and offline where the cache cannot.
 */
export async function openTree(run: HubRun, source: HubSource): Promise<HubTree> {
  const { settings } = run;
  const { repository, revision } = source;
  const cache = new RepositoryCache(settings, repository);
  if (settings.offline) {
    const commit = await cache.knownCommit(revision);
    const tree = commit && (await cachedTree(cache, { repository, revision: commit }));
    if (!tree) throw offline(printHubSource(source));
    return tree;
  }
  const pinned = COMMIT.test(revision) && (await cache.knownTree({ repository, revision }));
  if (pinned) return pinned;
  const commit = await resolveRevision(run, repository, revision);
  const origin = { repository, revision: commit };
  return (await cache.knownTree(origin)) ?? (await listTree(run, origin));
}

function offline(file: string): PressError {
  return new PressError('network', { file, what: 'not in the cache, and HF_HUB_OFFLINE is set' });
}

/** What is known of a commit without asking; of one that other tools have fetched, what they have. */
async function cachedTree(cache: RepositoryCache, origin: HubOrigin): Promise<HubTree | undefined> {
  const known = await cache.knownTree(origin);
  if (known !== undefined) return known;
  const root = cache.snapshotPath(origin);
  const names = await readdir(root, { recursive: true }).catch((): string[] => []);
  const files: HubFile[] = [];
  for (const name of names) {
    const oid = path.basename(await readlink(path.join(root, name)).catch(() => ''));
    const stats = await stat(path.join(root, name)).catch(() => undefined);
    if (!isContentId(oid) || !stats?.isFile()) continue;
    files.push({ path: name.split(path.sep).join('/'), bytes: stats.size, oid });
  }
  return files.length === 0 ? undefined : { ...origin, files };
}

export interface SnapshotOptions extends HubRun {
  /** As the user asked for it: the name of a branch is kept in the cache. */
  readonly source: HubSource;
  readonly tree: HubTree;
  /** Of the tree, those that are needed. */
  readonly files: readonly HubFile[];
  /** Whether files that are there already are hashed once more. */
  readonly thorough?: boolean;
}

/**
 * Brings files of a commit into the cache and returns the folder of the snapshot. Two runs share one transfer.
 * @throws PressError `network` and `local-io` as `download` does; whole files stay.
 */
export async function takeSnapshot(options: SnapshotOptions): Promise<string> {
  const { settings, source, tree, files } = options;
  const cache = new RepositoryCache(settings, tree.repository);
  const missing: HubFile[] = [];
  for (const file of files) if (!(await isThere(cache, options, file))) missing.push(file);
  if (settings.offline && missing.length > 0) throw offline(`${tree.repository}/${missing[0]!.path}`);
  await inParallel(missing, options, async (file, signal, onBytes) => {
    await fetchBlob(cache, { ...options, signal }, file, onBytes);
    await cache.link(tree, file);
  });
  await cache.rememberTree(tree);
  if (!settings.offline) await cache.rememberCommit(source.revision, tree.revision);
  return cache.snapshotPath(tree);
}

async function isThere(
  cache: RepositoryCache,
  { tree, thorough, signal }: SnapshotOptions,
  file: HubFile,
): Promise<boolean> {
  if (!(await cache.has(tree, file))) return false;
  return !thorough || (await removeUnlessSound(cache.blobPath(file), file, signal));
}

/** Runs `fetchOne` for all files, some at a time, and tells how far all are. The first failure ends the others. */
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
    progress?.({ kind: 'note', message: 'what has been downloaded stays: the same command goes on with it' });
  }
  signal?.throwIfAborted();
  stop.signal.throwIfAborted();
}

async function fetchBlob(
  cache: RepositoryCache,
  { settings, tree, signal }: SnapshotOptions,
  file: HubFile,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const destination = cache.blobPath(file);
  const lockPath = cache.lockPath(file);
  for (const folder of [path.dirname(destination), path.dirname(lockPath)]) {
    await mkdir(folder, { recursive: true }).catch((error) => {
      throw localIo(folder, error);
    });
  }
  const lock = await waitForLock(lockPath, file.path, signal);
  try {
    // Another run may have brought it, or another tool, which may not have checked it.
    if (
      (await lstat(destination).catch(() => undefined)) &&
      (await removeUnlessSound(destination, file, signal))
    ) {
      return onBytes(file.bytes);
    }
    await download({
      ...{ settings, origin: tree, file, destination, onBytes },
      ...(signal && { signal }),
    });
  } finally {
    await lock.release();
  }
}

async function waitForLock(lockPath: string, name: string, signal?: AbortSignal): Promise<FileLock> {
  for (;;) {
    try {
      return await FileLock.acquire(lockPath, name);
    } catch (error) {
      if (!(error instanceof PressError && error.failure === 'locked')) throw error;
      await sleep(LOCK_POLL, undefined, signal && { signal }).catch(() => undefined);
      signal?.throwIfAborted();
    }
  }
}

/** Whether a file has its hash; one that has not goes, so that nobody takes it for what it is called. */
async function removeUnlessSound(blob: string, file: HubFile, signal?: AbortSignal): Promise<boolean> {
  if (await hasContent(blob, file, signal)) return true;
  await unlink(blob).catch((error) => {
    throw localIo(blob, error);
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
