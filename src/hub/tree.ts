import type { HubOrigin } from '../core/hub-origin.ts';
import { GIT_ID, SHA256 } from '../core/json/hashes.ts';
import { apiFetch } from './http/api-fetch.ts';
import { hubFault } from './http/fault.ts';
import { isRepositoryPath } from './hub-source.ts';
import type { HubRun } from './run.ts';
import type { HubSettings } from './settings.ts';

/** A file of a repository at a commit. */
export interface HubFile {
  readonly path: string;
  readonly bytes: number;
  /**
   * By which its content is known: SHA-256 in hex of what Git LFS keeps, else the id of git's blob. Left out
   * where only a copy of the file is known, as in a cache without links and without a listing.
   */
  readonly oid?: string;
}

/** All files of a repository at a commit. */
export interface HubTree extends HubOrigin {
  readonly files: readonly HubFile[];
  /** Whether these are only the files that a cache holds. */
  readonly isPartial?: true;
}

/** Repositories of data sets have more; nothing that is needed of a model is found in them. */
const MAX_FILES = 100_000;
/** The Hub puts a thousand entries on a page. A server that always names a next one would never end. */
const MAX_PAGES = 1000;

/**
 * The commit that a branch, a tag or a commit leads to. Throws `network` where the Hub does not know or name
 * it.
 */
export async function resolveRevision(run: HubRun, repository: string, revision: string): Promise<string> {
  const { modelInfo } = await import('@huggingface/hub');
  const name = `${repository}@${revision}`;
  const { sha } = await modelInfo({
    name: repository,
    revision,
    hubUrl: run.settings.endpoint,
    additionalFields: ['sha'],
    fetch: apiFetch(run, name),
  });
  const isOther = GIT_ID.test(revision) && sha !== revision;
  if (typeof sha !== 'string' || !GIT_ID.test(sha) || isOther) {
    throw hubFault(name, 'the Hub names no commit for this revision');
  }
  return sha;
}

/**
 * Lists a repository at a commit.
 * @throws PressError `network` where the Hub refuses, or lists paths, sizes or ids that cannot be.
 */
export async function listTree(run: HubRun, { repository, revision }: HubOrigin): Promise<HubTree> {
  const { listFiles } = await import('@huggingface/hub');
  const entries = listFiles({
    repo: repository,
    revision,
    recursive: true,
    hubUrl: run.settings.endpoint,
    fetch: pageFetch(run, repository),
  });
  const files = new Map<string, HubFile>();
  for await (const entry of entries) {
    if (entry.type !== 'file') continue;
    if (files.size === MAX_FILES) throw hubFault(repository, `lists more than ${MAX_FILES} files`);
    const file = checkFile(repository, entry);
    if (files.has(file.path)) throw hubFault(repository, `lists ${JSON.stringify(file.path)} twice`);
    files.set(file.path, file);
  }
  return { repository, revision, files: [...files.values()] };
}

/**
 * A `fetch` for the package, which takes it for granted that pages are lists of objects, and follows them
 * without an end.
 */
function pageFetch(run: HubRun, repository: string): typeof fetch {
  const fetchPage = apiFetch(run, repository);
  let pages = 0;
  return async (input, init) => {
    if (++pages > MAX_PAGES) throw hubFault(repository, `lists more than ${MAX_PAGES} pages`);
    const response = await fetchPage(input, init);
    const page: unknown = await response.clone().json();
    const isList = Array.isArray(page) && page.every((entry) => typeof entry === 'object' && entry !== null);
    if (!isList) throw hubFault(repository, 'the answer is not a list of files');
    return response;
  };
}

interface ListedFile {
  readonly path: unknown;
  readonly size: unknown;
  readonly oid?: unknown;
  readonly lfs?: { readonly oid?: unknown; readonly size?: unknown } | null;
}

function checkFile(repository: string, { path, size, oid, lfs }: ListedFile): HubFile {
  if (typeof path !== 'string' || !isRepositoryPath(path)) {
    // A value that is not text may be nested deeper than the stack allows.
    const shown = typeof path === 'string' ? JSON.stringify(path) : typeof path;
    throw hubFault(repository, `lists the file ${shown}, which is not a path in a repository`);
  }
  const bytes = lfs?.size ?? size;
  if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 0) {
    throw hubFault(`${repository}/${path}`, 'is listed without a size');
  }
  const id = lfs ? lfs.oid : oid;
  if (typeof id !== 'string' || !(lfs ? SHA256 : GIT_ID).test(id)) {
    throw hubFault(`${repository}/${path}`, 'is listed without the hash of its content');
  }
  return { path, bytes, oid: id };
}

/** Whether a value that was kept can be a file of a listing. */
export function isHubFile(value: unknown): value is HubFile {
  const { path, bytes, oid } = (value ?? {}) as Record<string, unknown>;
  const isFile =
    typeof path === 'string' && isRepositoryPath(path) && typeof oid === 'string' && isContentId(oid);
  return isFile && Number.isSafeInteger(bytes) && (bytes as number) >= 0;
}

export function isContentId(oid: string): boolean {
  return GIT_ID.test(oid) || SHA256.test(oid);
}

/** Whether Git LFS keeps the content of a file, and its id is a SHA-256. */
export function isLarge({ oid }: HubFile): boolean {
  return oid !== undefined && SHA256.test(oid);
}

/** The id of a file's content. Throws a bug if it is not known: such files are never downloaded. */
export function contentId({ path, oid }: HubFile): string {
  if (oid === undefined) throw new Error(`${path}: the id of its content is not known`);
  return oid;
}

/** Address of a file's content. */
export function contentUrl({ endpoint }: HubSettings, tree: HubOrigin, { path }: HubFile): string {
  const parts = path.split('/').map(encodeURIComponent).join('/');
  return `${endpoint}/${tree.repository}/resolve/${tree.revision}/${parts}`;
}
