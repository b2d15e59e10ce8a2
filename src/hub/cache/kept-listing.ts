import { lstat, open, readdir, readFile, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { HubOrigin } from '../../core/hub-origin.ts';
import { createFolder } from '../../io/output-folder.ts';
import { replaceFile } from '../../io/staging/replace-file.ts';
import { type HubTree, isHubFile } from '../tree.ts';

/** Twice the size of a listing with the largest number of files that is accepted. */
const MAX_BYTES = 64_000_000;
/** Version of the form in which plmpress keeps listings, and of the one of huggingface_hub. */
const VERSION = 1;

/**
 * Keeps the listing of a commit in a file of plmpress. If it cannot be written, the next run asks the Hub
 * again.
 */
export async function keepListing(file: string, { files }: HubTree): Promise<void> {
  if (await lstat(file).catch(() => undefined)) return;
  try {
    await createFolder(path.dirname(file));
    await replaceFile(file, Buffer.from(JSON.stringify({ version: VERSION, files })));
  } catch {
    // A listing only saves requests.
  }
}

/** The listing that `keepListing` kept; undefined if it is missing or invalid. */
export async function keptListing(file: string, origin: HubOrigin): Promise<HubTree | undefined> {
  const { version, files } = await readObject(file);
  if (version !== VERSION || !Array.isArray(files)) return undefined;
  return files.every(isHubFile) ? { ...origin, files } : undefined;
}

/**
 * The listing that huggingface_hub 1.22 and later keep in `trees/<commit>.json`; undefined as for
 * `keptListing`.
 */
export async function listingOfPython(file: string, origin: HubOrigin): Promise<HubTree | undefined> {
  const { format_version, files: entries } = await readObject(file);
  if (format_version !== VERSION || typeof entries !== 'object' || entries === null) return undefined;
  const files: unknown[] = Object.entries(entries).map(([name, entry]) => {
    const { size, blob_id, lfs_sha256, lfs_size } = (entry ?? {}) as Record<string, unknown>;
    return { path: name, bytes: lfs_size ?? size, oid: lfs_sha256 ?? blob_id };
  });
  return files.every(isHubFile) ? { ...origin, files } : undefined;
}

async function readObject(file: string): Promise<Record<string, unknown>> {
  try {
    const stats = await lstat(file);
    if (!stats.isFile() || stats.size > MAX_BYTES) return {};
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/**
 * Removes the lists that plmpress 0.1 kept in `trees`. huggingface_hub keeps objects there and fails if it
 * finds a list. The lists may cover only a part of a commit, so they are not used.
 */
export async function removeListsOf(trees: string): Promise<void> {
  for (const name of await readdir(trees).catch((): string[] => [])) {
    const file = path.join(trees, name);
    if (name.endsWith('.json') && (await beginsAsList(file))) await unlink(file).catch(() => undefined);
  }
}

async function beginsAsList(file: string): Promise<boolean> {
  try {
    if (!(await lstat(file)).isFile()) return false;
    const handle = await open(file);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(1), 0, 1, 0);
      return bytesRead === 1 && buffer[0] === '['.charCodeAt(0);
    } finally {
      await handle.close();
    }
  } catch {
    return false;
  }
}
