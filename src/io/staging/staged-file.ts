import { constants } from 'node:fs';
import { type FileHandle, lstat, open, rename, unlink } from 'node:fs/promises';
import path from 'node:path';
import { localIo, PressError } from '../../core/errors.ts';
import { diskFull } from '../free-space.ts';
import { InputFile } from '../input-file.ts';
import { openOwn } from '../locks/own-file.ts';
import { isRefusal, type Refusals } from '../refusals.ts';
import { renameOver } from './rename-over.ts';
import { temporaryPath } from './temporary-file.ts';
import { writeFully } from './write-fully.ts';

/** Read-back in pieces: large enough to hide the cost of a call, small beside any budget. */
const READ_BACK_CHUNK = 1 << 20;
/** Only the owner may read a file that is not complete. */
const TEMPORARY_MODE = 0o600;
const FINAL_MODE = 0o644;
const FRESH = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;

export interface ReadBackOptions {
  /** Called with the number of bytes of every piece. */
  readonly onRead?: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface StagedFileOptions {
  /** What messages call it. */
  readonly name: string;
  readonly bytes: number;
  readonly finalPath: string;
  /** The folder that it is in until it is published, on the file system of `finalPath`. */
  readonly folder: string;
  /** Its place there, instead of a fresh one; an earlier run may have left data there. */
  readonly staging?: string | undefined;
  /** Records what the file system refuses. */
  readonly refusals: Refusals;
}

/**
 * A file under a temporary name until it gets its final one, of its final size from the start. Holes are
 * zeros.
 */
export class StagedFile {
  readonly bytes: number;
  #name: string;
  #finalPath: string;
  readonly #temporaryPath: string;
  readonly #handle: FileHandle;
  readonly #refusals: Refusals;
  #open = true;
  /**
   * Whether the system has failed to make the content durable: what it gives back then may never have reached
   * the disk.
   */
  #isUnsure = false;
  #published: 'no' | 'new' | 'replaced' = 'no';

  private constructor(
    { name, bytes, finalPath, refusals }: StagedFileOptions,
    temporary: string,
    handle: FileHandle,
  ) {
    this.#name = name;
    this.bytes = bytes;
    this.#finalPath = finalPath;
    this.#refusals = refusals;
    this.#temporaryPath = temporary;
    this.#handle = handle;
  }

  static async create(options: StagedFileOptions): Promise<StagedFile> {
    const { name, bytes, finalPath, folder, staging } = options;
    const temporary = staging ?? temporaryPath(path.join(folder, path.basename(finalPath)));
    let handle: FileHandle;
    try {
      handle = await (staging === undefined ? open(temporary, FRESH, TEMPORARY_MODE) : openOwn(staging));
    } catch (error) {
      throw localIo(name, error);
    }
    const file = new StagedFile(options, temporary, handle);
    try {
      await file.#checked(() => setSize(handle, bytes));
    } catch (error) {
      await file.discard();
      throw error;
    }
    return file;
  }

  /** What messages call it. */
  get name(): string {
    return this.#name;
  }

  /** Sets its final name, in the same folder. */
  rename(name: string, finalPath: string): void {
    this.#name = name;
    this.#finalPath = finalPath;
  }

  /** Opens the file, which has not been published yet. */
  read(): Promise<InputFile> {
    return InputFile.open(this.#temporaryPath, this.name);
  }

  /** Writes inside the planned size. Any order, several at once. */
  async write(bytes: Uint8Array, offset: number): Promise<void> {
    if (offset + bytes.length > this.bytes) {
      throw new Error(`${this.name}: write to ${offset + bytes.length} of ${this.bytes} planned bytes`);
    }
    await this.#checked(() => writeFully(this.#handle, bytes, offset));
  }

  /** Makes the content durable, then hashes it as read back from the disk. Returns the SHA-256 in hex. */
  async seal(options: ReadBackOptions = {}): Promise<string> {
    await this.#checked(async () => {
      await this.#refusals.allow('permissions', () => this.#handle.chmod(FINAL_MODE & ~process.umask()));
      this.#isUnsure = true;
      await this.#refusals.allow('sync', () => this.#handle.sync());
      this.#isUnsure = false;
    });
    this.#open = false;
    await this.#checked(() => this.#handle.close());
    try {
      return await this.#readBack(options);
    } catch (error) {
      if (!(error instanceof PressError && error.failure === 'invalid-input')) throw error;
      throw new PressError(
        'local-io',
        { file: this.name, what: 'changed while it was written' },
        { cause: error },
      );
    }
  }

  /** Gives the sealed file its final name, replacing any other file. */
  async publish(): Promise<void> {
    await this.#checked(async () => {
      const replaces = await lstat(this.#finalPath).then(
        () => true,
        () => false,
      );
      await renameOver(this.#temporaryPath, this.#finalPath);
      this.#published = replaces ? 'replaced' : 'new';
    });
  }

  /** Whether it took the place of another file, which is gone. */
  get hasReplaced(): boolean {
    return this.#published === 'replaced';
  }

  /**
   * Removes the file, also under its final name unless it replaced another. Best effort: follows a failure.
   */
  async discard(): Promise<void> {
    await this.#close();
    const where = { no: this.#temporaryPath, new: this.#finalPath, replaced: undefined }[this.#published];
    if (where !== undefined) await unlink(where).catch(() => undefined);
  }

  /**
   * Leaves the file where it was staged, for a later run, and nothing under its final name. Best effort, like
   * `discard`.
   */
  async keep(): Promise<void> {
    if (this.#isUnsure) return this.discard();
    await this.#close();
    if (this.#published === 'new') await rename(this.#finalPath, this.#temporaryPath).catch(() => undefined);
  }

  async #close(): Promise<void> {
    if (this.#open) await this.#handle.close().catch(() => undefined);
    this.#open = false;
  }

  async #readBack({ onRead, signal }: ReadBackOptions): Promise<string> {
    const file = await this.read();
    try {
      const chunk = new Uint8Array(Math.min(READ_BACK_CHUNK, this.bytes));
      for (let at = 0; at < this.bytes; at += chunk.length) {
        signal?.throwIfAborted();
        const piece = chunk.subarray(0, this.bytes - at);
        await file.readInto(piece, at);
        onRead?.(piece.length);
      }
      return await file.sha256();
    } finally {
      await file.close();
    }
  }

  async #checked<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      const isFull = (error as NodeJS.ErrnoException).code === 'ENOSPC';
      throw isFull
        ? await diskFull(this.name, path.dirname(this.#finalPath), this.bytes)
        : localIo(this.name, error);
    }
  }
}

/** Sets the size of a file to `bytes`; new bytes are zeros. */
async function setSize(handle: FileHandle, bytes: number): Promise<void> {
  try {
    await handle.truncate(bytes);
  } catch (error) {
    const { size } = await handle.stat();
    if (!isRefusal(error) || size > bytes) throw error;
    if (size < bytes) await writeFully(handle, new Uint8Array(1), bytes - 1);
  }
}
