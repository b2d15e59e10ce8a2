import { pathToFileURL } from 'node:url';
import { PressError } from '../core/errors.ts';
import { GIT_ID } from '../core/json/hashes.ts';
import { contentHash } from './cache/content-hash.ts';
import { hasContent } from './cache/snapshot.ts';
import { apiFetch } from './http/api-fetch.ts';
import { HubRefusal, hubFault } from './http/fault.ts';
import type { HubRun } from './run.ts';
import type { HubSettings } from './settings.ts';
import { type HubFile, type HubTree, isLarge, listTree, resolveRevision } from './tree.ts';

/** A file on this machine that goes to a repository. */
export interface UploadFile {
  /** In the repository. */
  readonly path: string;
  readonly bytes: number;
  /** Its path on this machine, or what it holds. */
  readonly from: string | Uint8Array<ArrayBuffer>;
}

export interface UploadOptions extends HubRun {
  /** `org/name`. */
  readonly repository: string;
  readonly branch: string;
  /** First line of the message of the commit. */
  readonly title: string;
  readonly files: readonly UploadFile[];
  /** Ask for a merge instead of changing the branch. */
  readonly pullRequest: boolean;
  /** Make the repository first, if it is not there. */
  readonly create?: 'public' | 'private';
}

export interface Upload {
  /** The commit that holds the files now. */
  readonly commit: string;
  readonly pullRequestUrl?: string;
  /** Those that were not there before. */
  readonly changed: readonly UploadFile[];
}

/**
 * Puts files into a repository, all in one commit or none: a reader sees the repository as it was, or with
 * all of them. What the Hub has received already is not sent again, so that a second run after an
 * interruption goes on, and one without a change commits nothing.
 * @throws PressError `network` where the Hub refuses, does not hold afterwards what it was given, or has got
 * another commit meanwhile.
 */
export async function upload(options: UploadOptions): Promise<Upload> {
  const { repository, branch, files, settings, create, signal } = options;
  assertWritable(settings, repository);
  if (create !== undefined) await createRepository(options, create);
  const parent = await resolveRevision(options, repository, branch);
  const tree = await listTree(options, { repository, revision: parent });
  const changed = await changedFiles(files, tree, signal);
  if (changed.length === 0) return { commit: parent, changed };
  const { commit, pullRequestUrl } = await commitFiles(options, parent, changed);
  await assertHolds(await listTree(options, { repository, revision: commit }), changed);
  return { commit, changed, ...(pullRequestUrl !== undefined && { pullRequestUrl }) };
}

/** Throws `network` where nothing can be sent to a repository, which shows before anything is read. */
export function assertWritable({ offline, token }: HubSettings, repository: string): void {
  if (offline) throw hubFault(repository, 'cannot be changed, since HF_HUB_OFFLINE is set');
  if (token !== undefined) return;
  const what = 'needs a token that may write: set HF_TOKEN and unset HF_HUB_DISABLE_IMPLICIT_TOKEN';
  throw hubFault(repository, what);
}

/** Files of which a tree has another content, or none. */
async function changedFiles(
  files: readonly UploadFile[],
  tree: HubTree,
  signal?: AbortSignal,
): Promise<UploadFile[]> {
  const listed = new Map(tree.files.map((file) => [file.path, file]));
  const changed: UploadFile[] = [];
  for (const file of files) {
    const there = listed.get(file.path);
    if (there === undefined || !(await isSame(file, there, signal))) changed.push(file);
  }
  return changed;
}

async function isSame({ from, bytes }: UploadFile, there: HubFile, signal?: AbortSignal): Promise<boolean> {
  if (typeof from === 'string') return hasContent(from, there, signal);
  return bytes === there.bytes && contentHash(there).update(from).digest('hex') === there.oid;
}

async function createRepository(options: UploadOptions, visibility: 'public' | 'private'): Promise<void> {
  const { repository, settings } = options;
  const { createRepo } = await import('@huggingface/hub');
  try {
    await createRepo({
      repo: repository,
      visibility,
      hubUrl: settings.endpoint,
      fetch: apiFetch(options, repository),
      // `request` adds the token; the package takes only those that begin with hf_.
      credentials: { accessToken: 'hf_' },
    });
  } catch (error) {
    if (!(error instanceof HubRefusal && error.status === 409)) throw error;
  }
}

interface Committed {
  readonly commit: string;
  readonly pullRequestUrl?: string;
}

async function commitFiles(
  options: UploadOptions,
  parentCommit: string,
  files: readonly UploadFile[],
): Promise<Committed> {
  const { repository, branch, title, pullRequest, settings, signal } = options;
  const { commitIter } = await import('@huggingface/hub');
  const meter = new UploadMeter(options, files);
  const steps = commitIter({
    repo: repository,
    branch,
    title,
    parentCommit,
    isPullRequest: pullRequest,
    operations: files.map(({ path, from }) => ({
      operation: 'addOrUpdate',
      path,
      content: typeof from === 'string' ? pathToFileURL(from) : new Blob([from]),
    })),
    hubUrl: settings.endpoint,
    fetch: apiFetch(options, repository, meter.onSent),
    ...(signal && { abortSignal: signal }),
  });
  try {
    for (;;) {
      const step = await steps.next();
      if (!step.done) {
        meter.take(step.value);
        continue;
      }
      const commit = step.value?.commit.oid;
      if (commit === undefined || !GIT_ID.test(commit)) throw hubFault(repository, 'names no commit');
      const url = step.value?.pullRequestUrl;
      return { commit, ...(typeof url === 'string' && { pullRequestUrl: url }) };
    }
  } catch (error) {
    if (signal?.aborted) {
      const message = 'the Hub keeps what it has received: the same command sends the rest';
      options.progress?.({ kind: 'note', message });
    }
    signal?.throwIfAborted();
    // What the package refuses itself: answers that are not what the protocol says.
    throw error instanceof PressError ? error : hubFault(repository, `the upload fails: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\bhttps?:\S+/g, '…');
}

/** Shows the events of the package and the bytes sent as one line of progress. */
class UploadMeter {
  readonly #options: UploadOptions;
  readonly #sizes: ReadonlyMap<string, number>;
  readonly #total: number;
  /** Bytes by file and part. */
  readonly #sent = new Map<string, number>();
  /** Bytes by file, as the package counts. */
  readonly #told = new Map<string, number>();
  #phase: 'hash' | 'upload' | undefined;

  constructor(options: UploadOptions, files: readonly UploadFile[]) {
    this.#options = options;
    this.#sizes = new Map(files.map(({ path, bytes }) => [path, bytes]));
    this.#total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  readonly onSent = (key: string, bytes: number): void => {
    this.#begin('upload');
    this.#sent.set(key, bytes);
    this.#tell();
  };

  take(event: {
    readonly event: string;
    readonly path?: string;
    readonly state?: string;
    readonly progress?: number;
  }): void {
    const { path, state, progress } = event;
    if (path === undefined || progress === undefined) return;
    this.#begin(state === 'hashing' ? 'hash' : 'upload');
    this.#told.set(path, progress * (this.#sizes.get(path) ?? 0));
    this.#tell();
  }

  #begin(phase: 'hash' | 'upload'): void {
    if (phase === this.#phase || this.#phase === 'upload') return;
    this.#phase = phase;
    this.#told.clear();
    this.#options.progress?.({ kind: 'phase', name: phase, total: this.#total, unit: 'bytes' });
  }

  #tell(): void {
    const sum = (bytes: Iterable<number>) => [...bytes].reduce((a, b) => a + b, 0);
    const done = Math.min(this.#total, Math.max(sum(this.#sent.values()), sum(this.#told.values())));
    this.#options.progress?.({ kind: 'advance', done });
  }
}

/** The Hub must hold what it was given. */
async function assertHolds(tree: HubTree, files: readonly UploadFile[]): Promise<void> {
  const [lost] = await changedFiles(files, tree);
  if (lost === undefined) return;
  const there = tree.files.find(({ path }) => path === lost.path);
  const what = there === undefined ? 'is missing' : `has another ${isLarge(there) ? 'SHA-256' : 'git hash'}`;
  throw hubFault(`${tree.repository}/${lost.path}`, `${what} in the new commit ${tree.revision}`);
}
