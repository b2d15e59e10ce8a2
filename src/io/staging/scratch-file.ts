import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import path from 'node:path';
import { localIo } from '../../core/errors.ts';
import { assertFreeSpace, diskFull } from '../free-space.ts';
import { temporaryPath } from './temporary-file.ts';
import { writeFully } from './write-fully.ts';

const MODE = 0o600;
const FRESH = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;

/** A hidden file for what does not fit into memory. It goes with the process that made it. */
export class ScratchFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #bytes: number;
  #isNamed: boolean;

  private constructor(file: string, handle: FileHandle, bytes: number, isNamed: boolean) {
    this.#path = file;
    this.#handle = handle;
    this.#bytes = bytes;
    this.#isNamed = isNamed;
  }

  /**
   * Creates the file in `folder`, whose lock the caller holds.
   * @throws PressError local-io where the disk has less than `bytes` left.
   */
  static async create(folder: string, name: string, bytes: number): Promise<ScratchFile> {
    await assertFreeSpace(folder, bytes);
    const file = temporaryPath(path.join(folder, name));
    try {
      const handle = await open(file, FRESH, MODE);
      // Where the system lets go of the name at once, a process that is killed leaves nothing.
      const isNamed = await unlink(file).then(
        () => false,
        () => true,
      );
      return new ScratchFile(file, handle, bytes, isNamed);
    } catch (error) {
      throw localIo(file, error);
    }
  }

  /** Fills all of `into` from `offset` on, with what has been written there. */
  async read(into: Uint8Array, offset: number): Promise<void> {
    try {
      for (let done = 0; done < into.length; ) {
        const { bytesRead } = await this.#handle.read(into, done, into.length - done, offset + done);
        if (bytesRead === 0) throw new Error('the file ends too early');
        done += bytesRead;
      }
    } catch (error) {
      throw localIo(this.#path, error);
    }
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    try {
      await writeFully(this.#handle, bytes, offset);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') {
        throw await diskFull(path.basename(this.#path), path.dirname(this.#path), this.#bytes);
      }
      throw localIo(this.#path, error);
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
    if (this.#isNamed) await unlink(this.#path).catch(() => undefined);
  }
}
