import { createHash } from 'node:crypto';
import { lstat, open, readFile, realpath, rename, unlink } from 'node:fs/promises';
import path from 'node:path';
import { localIo, PressError } from '../../core/errors.ts';
import type { Progress } from '../../core/jobs/progress.ts';
import { assertFreeSpace } from '../free-space.ts';
import { InputFile } from '../input-file.ts';
import type { FileLock } from '../locks/file-lock.ts';
import { withLockedFolder } from '../locks/locked-folder.ts';
import { createFolder, removeEmptyFolders, syncFolder } from '../output-folder.ts';
import { Refusals } from '../refusals.ts';
import type { Journal } from './journal.ts';
import { replaceFile } from './replace-file.ts';
import { assertReplaceable, type ReplaceOptions } from './replaceable.ts';
import { type ReadBackOptions, StagedFile, type StagedFileOptions } from './staged-file.ts';
import { RECORD, removeIdleStaging, STAGING_NAME, StagingFolder } from './staging-folder.ts';
import { removeStaleTemporaries, temporaryPath } from './temporary-file.ts';

export interface OutputFile {
  /** Relative to the output folder, with forward slashes. */
  readonly name: string;
  readonly bytes: number;
  /** Name, in the same folder, by the SHA-256 of the content in hex; `name` is a placeholder then. */
  readonly nameOf?: (sha256: string) => string;
  /** Whether it describes the other files: it gets its name after them, and the old one is removed first. */
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
  /**
   * The record in its place while files get their names: the old one, none, or this content, which names no
   * file that is about to be replaced.
   */
  readonly meanwhile: 'as it is' | 'nothing' | Uint8Array;
}

export interface StagedOutputOptions {
  /**
   * The key of the work. If a run does not complete, its staged files are kept for the next with this key.
   */
  readonly resume?: string;
  /** The name of the folder for the files of resumed work. Left out: `STAGING_NAME`. */
  readonly staging?: string | undefined;
  /** Gets a note at the end on operations that the file system refused. */
  readonly progress?: Progress | undefined;
}

/**
 * Runs `work` on the locked folder, which is created where missing. Where `work` fails, its temporary files
 * go, and so does the folder if it was created.
 * @throws PressError `locked` where another run is at work there; `local-io` where the folder cannot be used.
 */
export async function withStagedOutput<T>(
  folder: string,
  work: (output: StagedOutput) => Promise<T>,
  { resume, staging: name = STAGING_NAME, progress }: StagedOutputOptions = {},
): Promise<T> {
  const made = await createFolder(folder);
  try {
    return await withLockedFolder(folder, async (lock) => {
      if (resume === undefined) await removeIdleStaging(folder, name);
      const staging = resume === undefined ? undefined : await StagingFolder.open(folder, resume, name);
      const output = new StagedOutput(folder, made, lock, staging);
      try {
        const result = await work(output);
        const message = output.remark;
        if (message !== undefined) progress?.({ kind: 'note', message });
        return result;
      } finally {
        await output.end();
      }
    });
  } catch (error) {
    await removeEmptyFolders(made);
    throw error;
  }
}

/**
 * The files of one run: stage, write, seal, publish. Until `publish` only hidden temporary files exist, all
 * in the folder itself, where a run that is killed leaves nothing that the next one does not find; at every
 * instant after, a final name has no file, the old file or the complete new one.
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
  readonly #staging: StagingFolder | undefined;
  /** Records that have made room: where they were, and where they are now. */
  readonly #aside = new Map<string, string>();
  /** SHA-256 of sealed files, by the names they were staged with. */
  readonly #digests = new Map<string, string>();
  readonly #refusals = new Refusals();
  #options: ReplaceOptions = { force: false, inputs: [] };
  #complete = false;

  /** Use `withStagedOutput`. `madeFolders`: what has been created for it, `folder` itself included. */
  constructor(folder: string, madeFolders: readonly string[], lock: FileLock, staging?: StagingFolder) {
    this.folder = folder;
    this.#staging = staging;
    this.#touched = new Set([folder, ...madeFolders.map((made) => path.dirname(made))]);
    this.#lock = lock;
  }

  /** The journal of work that can be resumed. */
  get journal(): Journal | undefined {
    return this.#staging?.journal;
  }

  /** The folder of work that can be resumed, for further files of it. */
  get stagingFolder(): string | undefined {
    return this.#staging?.folder;
  }

  /** The note on the file system, at the end. */
  get remark(): string | undefined {
    return this.#complete ? this.#refusals.note(this.folder) : undefined;
  }

  /** Whether the interrupted run that was here was of other work. */
  get replacedOther(): boolean {
    return this.#staging?.replacedOther ?? false;
  }

  /**
   * Creates the temporary files. In resumed work, files of the earlier run keep their content.
   * @throws PressError `local-io` if a final name is taken without `force`, is not a regular file or is an
   * input, or if the disk has too little space for all files.
   */
  async stage(files: readonly OutputFile[], options: ReplaceOptions): Promise<void> {
    this.#options = options;
    for (const [index, file] of files.entries()) await this.#takeBack(index, file);
    for (const { name } of files) await assertReplaceable(this.#pathOf(name), this.#options);
    await this.#assertSubfolders(new Set(files.flatMap(({ name }) => foldersOf(name))));
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const there = (await this.#staging?.allocated(files.length)) ?? 0;
    await assertFreeSpace(this.folder, Math.max(0, bytes - there));
    for (const [index, { name, bytes, nameOf, isRecord }] of files.entries()) {
      const file = await this.#create({ name, bytes, staging: this.#staging?.pathOf(index) });
      this.#files.set(name, file);
      if (nameOf !== undefined) this.#namers.set(name, nameOf);
      if (isRecord) this.#records.add(file);
    }
  }

  /** Writes part of a staged file. */
  async write(name: string, bytes: Uint8Array, offset: number): Promise<void> {
    await this.#files.get(name)!.write(bytes, offset);
  }

  /**
   * Makes files durable and hashes what the disk gives back, by which some get their names. In the order of
   * the names.
   */
  async seal({ names = [...this.#files.keys()], ...options }: SealOptions = {}): Promise<FileDigest[]> {
    const digests: FileDigest[] = [];
    for (const staged of names) {
      const file = this.#files.get(staged)!;
      const sha256 = await file.seal(options);
      this.#digests.set(staged, sha256);
      const name = this.#namers.get(staged)?.(sha256) ?? staged;
      file.rename(name, this.#pathOf(name));
      digests.push({ name, bytes: file.bytes, sha256 });
    }
    return digests;
  }

  /** Opens a file by the name it was staged with. */
  open(name: string): Promise<InputFile> {
    return this.#files.get(name)!.read();
  }

  /**
   * Gives every sealed file its final name, `record` last. A record that would describe replaced files makes
   * room first, so that no record ever disagrees with the files beside it. Without a record, only one file is
   * whole or absent.
   */
  async publish(record?: RecordFile): Promise<void> {
    if (record === undefined) {
      await this.#lock.assertHeld();
      await this.#publishFiles();
      this.#complete = true;
      return;
    }
    const recordFile = await this.#write(record.name, record.content, this.#staging?.pathOf(RECORD));
    try {
      await this.#staging?.seal(
        [...this.#files.keys()].map((name) => this.#digests.get(name)!),
        createHash('sha256').update(record.content).digest('hex'),
      );
      await this.#lock.assertHeld();
      await this.#publishFiles(record);
      await recordFile.publish();
      this.#complete = true;
      await this.#sync();
    } catch (error) {
      if (!this.#complete) await recordFile.discard();
      throw error;
    }
  }

  /**
   * Undoes what has not been completed, except what a later run continues with. If another run has taken the
   * lock over, its files are left alone. Best effort: nothing depends on it.
   */
  async end(): Promise<void> {
    if (!this.#complete && !(await this.#lock.isHeld())) return this.#leave();
    const keeps = !this.#complete && this.#staging?.journal.isEmpty === false;
    if (!this.#complete) {
      const hasReplaced = [...this.#files.values()].some((file) => file.hasReplaced);
      for (const file of this.#files.values()) await (keeps ? file.keep() : file.discard());
      if (!hasReplaced) await this.#restoreRecords();
    }
    for (const aside of this.#aside.values()) await unlink(aside).catch(() => undefined);
    await (keeps ? this.#staging!.close() : this.#staging?.remove());
    if (!this.#complete) await removeEmptyFolders(this.#made.toReversed());
  }

  /** Ends a run that has lost its lock. It removes its own temporary files, but not the staging folder. */
  async #leave(): Promise<void> {
    for (const file of this.#files.values()) await (this.#staging ? file.keep() : file.discard());
    await this.#staging?.close();
    await removeEmptyFolders(this.#made.toReversed());
  }

  #create(options: Pick<StagedFileOptions, 'name' | 'bytes' | 'staging'>): Promise<StagedFile> {
    return StagedFile.create({
      ...options,
      finalPath: this.#pathOf(options.name),
      folder: this.folder,
      refusals: this.#refusals,
    });
  }

  /** A small file, sealed. */
  async #write(name: string, content: Uint8Array, staging?: string): Promise<StagedFile> {
    const file = await this.#create({ name, bytes: content.length, staging });
    try {
      await file.write(content, 0);
      await file.seal();
      return file;
    } catch (error) {
      await file.discard();
      throw error;
    }
  }

  async #publishFiles(record?: RecordFile): Promise<void> {
    // Other programs know no lock; a name may have been taken since the start.
    for (const { name } of this.#files.values()) await assertReplaceable(this.#pathOf(name), this.#options);
    for (const { name } of this.#files.values()) await this.#openSubfolders(name);
    if (record !== undefined && record.meanwhile !== 'as it is') {
      await this.#makeRoom(record.name, record.meanwhile);
    }
    for (const { name } of this.#records) await this.#makeRoom(name, 'nothing');
    for (const file of this.#files.values()) if (!this.#records.has(file)) await file.publish();
    if (this.#records.size > 0) await this.#sync();
    for (const file of this.#records) await file.publish();
    await this.#sync();
  }

  /** Moves the old record aside. It comes back only if the run fails before it has replaced anything. */
  async #makeRoom(name: string, meanwhile: 'nothing' | Uint8Array): Promise<void> {
    const at = this.#pathOf(name);
    const aside = temporaryPath(path.join(this.folder, path.basename(at)));
    try {
      if (meanwhile === 'nothing') await rename(at, aside);
      else await replaceFile(aside, await readFile(at));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error instanceof PressError ? error : localIo(name, error);
    }
    this.#aside.set(at, aside);
    if (meanwhile !== 'nothing') {
      const standIn = await this.#write(name, meanwhile);
      await standIn.publish().catch(async (error) => {
        await standIn.discard();
        throw error;
      });
    }
    await syncFolder(path.dirname(at), this.#refusals);
  }

  /** Undoes `makeRoom` once all files that the records list exist. */
  async #restoreRecords(): Promise<void> {
    for (const [at, aside] of this.#aside) await rename(aside, at).catch(() => undefined);
  }

  async #sync(): Promise<void> {
    for (const folder of this.#touched) await syncFolder(folder, this.#refusals);
  }

  #pathOf(name: string): string {
    return path.join(this.folder, ...name.split('/'));
  }

  /**
   * A file of which an interrupted run had got as far as its final name goes back to where the others are.
   */
  async #takeBack(index: number, { name, nameOf }: OutputFile): Promise<void> {
    const sha256 = await this.#staging?.missing(index);
    if (sha256 === undefined) return;
    await this.#openSubfolders(name);
    const final = this.#pathOf(nameOf?.(sha256) ?? name);
    if (!(await lstat(final).catch(() => undefined))?.isFile()) return;
    const file = await InputFile.open(final, name);
    const found = await file.sha256().finally(() => file.close());
    if (found !== sha256) return;
    await rename(final, this.#staging!.pathOf(index)).catch((error) => {
      throw localIo(name, error);
    });
  }

  /** Throws `local-io` where files could not get their names in `folders` of the output folder at the end. */
  async #assertSubfolders(folders: Iterable<string>): Promise<void> {
    for (const label of folders) {
      const folder = this.#pathOf(label);
      const stats = await lstat(folder).catch((error) => {
        if (error.code !== 'ENOENT') throw localIo(label, error);
      });
      if (stats === undefined) continue;
      if (stats.isSymbolicLink()) throw refusal(label, 'is a symbolic link');
      if (!stats.isDirectory()) throw refusal(label, 'is not a folder');
      await tryMove(this.folder, folder).catch((error) => {
        throw localIo(label, error);
      });
    }
  }

  /** Creates the folders between the output folder and the file. */
  async #openSubfolders(name: string): Promise<void> {
    const root = await realpath(this.folder);
    for (const label of foldersOf(name)) {
      const folder = this.#pathOf(label);
      if (this.#touched.has(folder)) continue;
      this.#made.push(...(await createFolder(folder)));
      // A link could lead the files anywhere.
      const isInside = (await realpath(folder)) === path.join(root, ...label.split('/'));
      if (!isInside) throw refusal(label, 'is a symbolic link');
      this.#touched.add(folder);
      await removeStaleTemporaries(folder, this.#lock);
    }
  }
}

/** The folders that a file lies in, outermost first. */
function foldersOf(name: string): string[] {
  const parents = name.split('/').slice(0, -1);
  return parents.map((_, index) => parents.slice(0, index + 1).join('/'));
}

/** Tries the renaming that files get at the end: permissions and mounts show in no other way. */
async function tryMove(from: string, to: string): Promise<void> {
  const probe = temporaryPath(path.join(from, 'probe'));
  const moved = path.join(to, path.basename(probe));
  const handle = await open(probe, 'wx');
  await handle.close();
  await rename(probe, moved).catch(async (error) => {
    await unlink(probe).catch(() => undefined);
    throw error;
  });
  await unlink(moved);
}

function refusal(file: string, what: string): PressError {
  return new PressError('local-io', { file, what });
}
