import { realpath, unlink } from 'node:fs/promises';
import path from 'node:path';
import { localIo, PressError } from '../core/errors.ts';
import { FileLock } from './file-lock.ts';
import { assertFreeSpace } from './free-space.ts';
import type { InputFile } from './input-file.ts';
import { createFolder, removeEmptyFolders, syncFolder } from './output-folder.ts';
import { assertReplaceable, type ReplaceOptions } from './replaceable.ts';
import { type ReadBackOptions, StagedFile } from './staged-file.ts';
import { removeStaleTemporaries } from './temporary-file.ts';

/** Of the file that keeps other runs out of an output folder. */
export const LOCK_NAME = '.plmpress.lock';

export interface OutputFile {
  /** Relative to the output folder, with forward slashes. */
  readonly name: string;
  readonly bytes: number;
  /** Name, in the same folder, by the SHA-256 of the content in hex; `name` is a placeholder then. */
  readonly nameOf?: (sha256: string) => string;
  /** Whether it tells of the others: it comes after them, and what has its name now goes before them. */
  readonly isRecord?: boolean;
}

export interface FileDigest {
  /** The final one. */
  readonly name: string;
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
}

export interface SealOptions extends ReadBackOptions {
  /** As staged. Left out: all. */
  readonly names?: readonly string[];
}

/** A small file that describes the others, such as a manifest. */
export interface RecordFile {
  readonly name: string;
  readonly content: Uint8Array;
  /** Whether the record that is there describes a file that is about to be replaced. */
  readonly replacesStale: boolean;
}

/**
 * Runs `work` on the locked folder, which is created where missing. Where `work` fails, its temporary files go,
 * and so does the folder if it was created.
 * @throws PressError `locked` where another run is at work there; `local-io` where the folder cannot be used.
 */
export async function withStagedOutput<T>(
  folder: string,
  work: (output: StagedOutput) => Promise<T>,
): Promise<T> {
  const made = await createFolder(folder);
  try {
    const lock = await FileLock.acquire(path.join(folder, LOCK_NAME), folder);
    const output = new StagedOutput(folder, made, lock);
    try {
      await removeStaleTemporaries(folder);
      return await work(output);
    } catch (error) {
      await output.discard();
      throw error;
    } finally {
      await lock.release();
    }
  } catch (error) {
    await removeEmptyFolders(made);
    throw error;
  }
}

/**
 * The files of one run: stage, write, seal, publish. Until `publish` only hidden temporary files exist; at every
 * instant after, a final name leads to nothing, to the old file or to the whole new one.
 */
export class StagedOutput {
  readonly folder: string;
  readonly #lock: FileLock;
  /** By the names they were staged with. */
  readonly #files = new Map<string, StagedFile>();
  readonly #namers = new Map<string, (sha256: string) => string>();
  readonly #records = new Set<StagedFile>();
  /** Folders whose list of names this run changes. */
  readonly #touched: Set<string>;
  readonly #made: string[] = [];
  #options: ReplaceOptions = { force: false, inputs: [] };
  #complete = false;

  /** Use `withStagedOutput`. `madeFolders`: what has been created for it, `folder` itself included. */
  constructor(folder: string, madeFolders: readonly string[], lock: FileLock) {
    this.folder = folder;
    this.#touched = new Set([folder, ...madeFolders.map((made) => path.dirname(made))]);
    this.#lock = lock;
  }

  /**
   * Creates the temporary files.
   * @throws PressError `local-io` where a final name is taken without `force`, is no regular file or is an input,
   * or where the disk has less space left than all files take.
   */
  async stage(files: readonly OutputFile[], options: ReplaceOptions): Promise<void> {
    this.#options = options;
    for (const { name } of files) await assertReplaceable(this.#pathOf(name), name, this.#options);
    await assertFreeSpace(
      this.folder,
      files.reduce((sum, file) => sum + file.bytes, 0),
    );
    for (const { name, bytes, nameOf, isRecord } of files) {
      await this.#openSubfolders(name);
      const file = await StagedFile.create(name, bytes, this.#pathOf(name));
      this.#files.set(name, file);
      if (nameOf !== undefined) this.#namers.set(name, nameOf);
      if (isRecord) this.#records.add(file);
    }
  }

  /** Writes part of a staged file. */
  async write(name: string, bytes: Uint8Array, offset: number): Promise<void> {
    await this.#files.get(name)!.write(bytes, offset);
  }

  /** Makes files durable and hashes what the disk gives back, by which some get their names. In the order of the names. */
  async seal({ names = [...this.#files.keys()], ...options }: SealOptions = {}): Promise<FileDigest[]> {
    const digests: FileDigest[] = [];
    for (const staged of names) {
      const file = this.#files.get(staged)!;
      const sha256 = await file.seal(options);
      const name = this.#namers.get(staged)?.(sha256) ?? staged;
      file.rename(name, this.#pathOf(name));
      digests.push({ name, bytes: file.bytes, sha256 });
    }
    return digests;
  }

  /** Opens a sealed file by the name it was staged with. */
  open(name: string): Promise<InputFile> {
    return this.#files.get(name)!.read();
  }

  /**
   * Gives every sealed file its final name, `record` last. A record that would describe replaced files goes
   * first, so that no record ever disagrees with the files beside it. Without a record, only one file is whole or absent.
   */
  async publish(record?: RecordFile): Promise<void> {
    if (record === undefined) {
      await this.#lock.assertHeld();
      await this.#publishFiles();
      this.#complete = true;
      return;
    }
    const { name, content } = record;
    const recordFile = await StagedFile.create(name, content.length, this.#pathOf(name));
    try {
      await recordFile.write(content, 0);
      await recordFile.seal();
      await this.#lock.assertHeld();
      await this.#publishFiles(record.replacesStale ? name : undefined);
      await recordFile.publish();
      this.#complete = true;
      await this.#sync();
    } catch (error) {
      if (!this.#complete) await recordFile.discard();
      throw error;
    }
  }

  /** Undoes what has not been completed. Best effort: follows a failure. */
  async discard(): Promise<void> {
    if (this.#complete) return;
    for (const file of this.#files.values()) await file.discard();
    await removeEmptyFolders(this.#made.toReversed());
  }

  async #publishFiles(staleRecord?: string): Promise<void> {
    // Other programs know no lock; a name may have been taken since the start.
    for (const { name } of this.#files.values())
      await assertReplaceable(this.#pathOf(name), name, this.#options);
    if (staleRecord !== undefined) await this.#withdraw(staleRecord);
    for (const { name } of this.#records) await this.#withdraw(name);
    for (const file of this.#files.values()) if (!this.#records.has(file)) await file.publish();
    if (this.#records.size > 0) await this.#sync();
    for (const file of this.#records) await file.publish();
    await this.#sync();
  }

  /** Removes a record that is there, for good. */
  async #withdraw(name: string): Promise<void> {
    const file = this.#pathOf(name);
    try {
      await unlink(file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw localIo(name, error);
    }
    await syncFolder(path.dirname(file));
  }

  async #sync(): Promise<void> {
    for (const folder of this.#touched) await syncFolder(folder);
  }

  #pathOf(name: string): string {
    return path.join(this.folder, ...name.split('/'));
  }

  /** Creates the folders between the output folder and the file. */
  async #openSubfolders(name: string): Promise<void> {
    const root = await realpath(this.folder);
    const parents = name.split('/').slice(0, -1);
    for (let depth = 1; depth <= parents.length; depth++) {
      const parts = parents.slice(0, depth);
      const folder = path.join(this.folder, ...parts);
      if (this.#touched.has(folder)) continue;
      this.#made.push(...(await createFolder(folder)));
      // A link could lead the files anywhere.
      const isInside = (await realpath(folder)) === path.join(root, ...parts);
      if (!isInside) throw refusal(parts.join('/'), 'is a symbolic link');
      this.#touched.add(folder);
      await removeStaleTemporaries(folder);
    }
  }
}

function refusal(file: string, what: string): PressError {
  return new PressError('local-io', { file, what });
}
