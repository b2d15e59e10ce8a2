import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { invalidInput } from '../core/errors.ts';
import { type HubOrigin, isRepository } from '../core/hub-origin.ts';
import { GIT_ID, SHA256 } from '../core/json/hashes.ts';
import { EntryNames } from './entry-names.ts';
import { InputFile, openFault } from './input-file.ts';
import { readText, type TextFile } from './text-file.ts';

/** How an entry is opened. */
export interface OpenOptions {
  /**
   * Refuse a file with several hard links: another name may lie outside of the folder. Not checked in the
   * cache of the Hub, whose files are known by their hashes.
   */
  readonly refuseHardLinks?: boolean;
}

/** Where the files of a `SourceFolder` are. */
export interface FolderSource {
  /** For people and for output files. */
  readonly name: string;
  /** Base names of its entries. */
  readonly entries: readonly string[];
  /** Where on the Hub they are from, if that is known. */
  readonly origin?: HubOrigin;
  /** Opens an entry, calling it `label` in messages and records. */
  open(name: string, label: string, options?: OpenOptions): Promise<InputFile>;
  /** The folder of that name inside of it; undefined where there is none. */
  folder(name: string): Promise<FolderSource | undefined>;
}

/** A model's folder. Files are opened by base name only; `EntryNames` finds the one that is meant. */
export class SourceFolder {
  readonly name: string;
  readonly origin: HubOrigin | undefined;
  readonly entries: EntryNames;
  readonly #source: FolderSource;

  constructor(source: FolderSource) {
    this.name = source.name;
    this.origin = source.origin;
    this.entries = new EntryNames(source.entries);
    this.#source = source;
  }

  /** Opens a folder on this machine. */
  static async open(folder: string): Promise<SourceFolder> {
    try {
      const resolved = await realpath(folder);
      return new SourceFolder(new LocalFolder(resolved, await readdir(resolved)));
    } catch (error) {
      throw openFault(folder, error);
    }
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  /** Opens an entry, calling it `label` in messages and records. */
  async open(name: string, label?: string, options: OpenOptions = {}): Promise<InputFile> {
    // The listing holds base names only, so a name that is in it cannot climb.
    const entry = this.entries.find(name);
    if (entry === undefined) throw invalidInput({ file: label ?? name, what: 'missing' });
    return this.#source.open(entry, label ?? entry, options);
  }

  /**
   * The folder of that name inside of this one; undefined if there is none. A link may lead elsewhere within
   * the boundary of this folder, but not out of it.
   * @throws PressError invalid-input where a link leads out, local-io where the folder cannot be read.
   */
  async folder(name: string): Promise<SourceFolder | undefined> {
    const source = await this.#source.folder(name);
    return source && new SourceFolder(source);
  }

  /** Opens a file of a folder in it, by a path with forward slashes, calling it that. */
  async openPath(file: string): Promise<InputFile> {
    const parts = file.split('/');
    let at: SourceFolder | undefined = this;
    for (const part of parts.slice(0, -1)) at = await at?.folder(part);
    if (at === undefined) throw invalidInput({ file, what: 'missing' });
    return at.open(parts.at(-1)!, file);
  }

  /** Reads an entry, calling it `label` in messages and records. */
  async readText(name: string, maxBytes: number, label?: string): Promise<TextFile> {
    return readText(await this.open(name, label), maxBytes);
  }
}

/**
 * Makes sure that a path below a folder, with forward slashes, stays in it: no link on the way leads out.
 * @throws PressError invalid-input if a link leads out or the path does not exist.
 */
export async function assertInside(folder: string, below: string): Promise<void> {
  const resolved = await realpath(folder).catch((error) => {
    throw openFault(folder, error);
  });
  await resolveInside(resolved, cachedSnapshot(resolved)?.root ?? resolved, below);
}

/** The real path of an entry of `folder`, if that is in `boundary`. */
async function resolveInside(
  folder: string,
  boundary: string,
  entry: string,
  label = entry,
): Promise<string> {
  const resolved = await realpath(path.join(folder, ...entry.split('/'))).catch((error) => {
    throw openFault(label, error);
  });
  if (resolved.startsWith(boundary + path.sep)) return resolved;
  throw invalidInput({ file: label, what: 'symbolic link that leads out of the folder' });
}

/**
 * A folder on this machine. Nothing is opened where a symbolic link leads out of it. In the Hub's cache,
 * `models--org--name/snapshots/<revision>/<file>` links to `../../blobs/<hash>`: there the links may lead
 * anywhere inside `models--org--name`, and a blob whose name is a SHA-256 must have it.
 */
class LocalFolder implements FolderSource {
  /** Base name of the folder; of a snapshot of the Hub, the repository's. */
  readonly name: string;
  readonly entries: readonly string[];
  readonly origin?: HubOrigin;
  readonly #path: string;
  readonly #snapshot: CachedSnapshot | undefined;
  /** Nothing outside of this folder is read. */
  readonly #boundary: string;

  constructor(resolved: string, entries: readonly string[], boundary = resolved) {
    this.#path = resolved;
    this.entries = entries;
    this.#snapshot = cachedSnapshot(resolved);
    this.#boundary = this.#snapshot?.root ?? boundary;
    this.name = this.#snapshot?.repository.split('/').at(-1) ?? path.basename(resolved);
    const { repository = '', revision = '' } = this.#snapshot ?? {};
    if (isRepository(repository) && GIT_ID.test(revision)) this.origin = { repository, revision };
  }

  async open(name: string, label: string, { refuseHardLinks }: OpenOptions = {}): Promise<InputFile> {
    const resolved = await resolveInside(this.#path, this.#boundary, name, label);
    if (refuseHardLinks && this.#snapshot === undefined) await assertOneName(resolved, label);
    const blob = this.#snapshot === undefined ? undefined : blobHash(this.#snapshot.root, resolved);
    return InputFile.open(resolved, label, blob);
  }

  async folder(name: string): Promise<LocalFolder | undefined> {
    if (!this.entries.includes(name)) return undefined;
    const resolved = await resolveInside(this.#path, this.#boundary, name);
    if (!(await stat(resolved)).isDirectory()) return undefined;
    const entries = await readdir(resolved).catch((error) => {
      throw openFault(name, error);
    });
    return new LocalFolder(resolved, entries, this.#boundary);
  }
}

/** A commit of a repository in the Hub's cache. */
interface CachedSnapshot {
  /** The `models--org--name` folder. */
  readonly root: string;
  /** `org/name`. */
  readonly repository: string;
  /** Name of the folder in `snapshots`. */
  readonly revision: string;
}

/** The snapshot that a folder is, or is in; undefined for folders elsewhere. */
function cachedSnapshot(folder: string): CachedSnapshot | undefined {
  const parts = folder.split(path.sep);
  const at = parts.lastIndexOf('snapshots');
  const repository = /^models--(.+)$/.exec(parts[at - 1] ?? '')?.[1];
  const revision = parts[at + 1];
  if (repository === undefined || revision === undefined) return undefined;
  return { root: parts.slice(0, at).join(path.sep), repository: repository.replace('--', '/'), revision };
}

async function assertOneName(file: string, label: string): Promise<void> {
  const { nlink } = await stat(file).catch((error) => {
    throw openFault(label, error);
  });
  if (nlink === 1) return;
  const expected = 'a copy of the file';
  throw invalidInput({ file: label, what: 'hard link, which may lead out of the folder', expected });
}

/** Files that Git LFS keeps are named by their SHA-256 there. */
function blobHash(root: string, file: string): string | undefined {
  const name = path.basename(file);
  return path.dirname(file) === path.join(root, 'blobs') && SHA256.test(name) ? name : undefined;
}
