import { readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { invalidInput } from '../core/errors.ts';
import { InputFile, openFault } from './input-file.ts';
import { readTextFile, type TextFile } from './text-file.ts';

/**
 * A model's folder. Files are opened by base name only, and never where a symbolic link leads out of the
 * folder. In the Hub's cache, `models--org--name/snapshots/<revision>/<file>` links to `../../blobs/<hash>`:
 * there the links may lead anywhere inside `models--org--name`.
 */
export class SourceFolder {
  /** Base name of the folder that the path resolves to; of a snapshot of the Hub, the repository's. */
  readonly name: string;
  readonly #path: string;
  readonly #boundary: string;
  readonly #entries: ReadonlySet<string>;

  private constructor(resolved: string, entries: readonly string[]) {
    this.#path = resolved;
    const cacheRoot = hubCacheRoot(resolved);
    this.#boundary = cacheRoot ?? resolved;
    this.#entries = new Set(entries);
    this.name = cacheRoot === undefined ? path.basename(resolved) : cacheRoot.split('--').at(-1)!;
  }

  static async open(folder: string): Promise<SourceFolder> {
    try {
      const resolved = await realpath(folder);
      return new SourceFolder(resolved, await readdir(resolved));
    } catch (error) {
      throw openFault(folder, error);
    }
  }

  get entries(): Iterable<string> {
    return this.#entries;
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** Opens an entry, calling it `label` in messages and records. */
  async open(name: string, label = name): Promise<InputFile> {
    return InputFile.open(await this.#resolve(name), label);
  }

  /** Reads an entry, calling it `label` in messages and records. */
  async readText(name: string, maxBytes: number, label = name): Promise<TextFile> {
    return readTextFile(await this.#resolve(name), label, maxBytes);
  }

  /** The real path of an entry, checked before anything there is opened. */
  async #resolve(name: string): Promise<string> {
    // The listing holds base names only, so a name that is in it cannot climb.
    if (!this.has(name)) throw invalidInput({ file: name, what: 'missing' });
    let resolved: string;
    try {
      resolved = await realpath(path.join(this.#path, name));
    } catch (error) {
      throw openFault(name, error);
    }
    if (!resolved.startsWith(this.#boundary + path.sep)) {
      throw invalidInput({ file: name, what: 'symbolic link that leads out of the folder' });
    }
    return resolved;
  }
}

/** The `models--org--name` folder of a snapshot in the Hub's cache, or of a folder in one; undefined for others. */
function hubCacheRoot(folder: string): string | undefined {
  const parts = folder.split(path.sep);
  const snapshots = parts.lastIndexOf('snapshots');
  const isSnapshot =
    snapshots > 0 && snapshots < parts.length - 1 && parts[snapshots - 1]!.startsWith('models--');
  return isSnapshot ? parts.slice(0, snapshots).join(path.sep) : undefined;
}
