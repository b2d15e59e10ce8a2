import { createHash } from 'node:crypto';
import { type FileHandle, stat } from 'node:fs/promises';
import { invalidInput, localIo, PressError } from '../core/errors.ts';
import type { SourceFile } from '../core/model.ts';
import { FOREIGN_HEAD_BYTES, MAX_POINTER_BYTES, pointerContent } from '../core/text/foreign-content.ts';
import { NotRegular, openRegular } from './regular-file.ts';

/** Largest single read: the system call and Node both stop below 2 GiB. */
const MAX_READ = 1 << 30;
/**
 * Chunk for hashing bytes that no one has read: it hides the cost of a call, and is small for any budget.
 */
const HASH_CHUNK = 1 << 20;
/**
 * Largest hole that is read for the hash: headers between the parts of an archive, less than a call costs.
 */
const MAX_HOLE = 4096;

/** Where the bytes of an `InputFile` come from. */
export interface ByteSource {
  readonly bytes: number;
  /**
   * Reads some bytes from `offset` on to the front of `into`, and returns their number; 0 at the end of the
   * file.
   */
  read(into: Uint8Array, offset: number): Promise<number>;
  /** Throws where the file is not, or no longer, the one that was opened, by its SHA-256 in hex. */
  confirm(sha256: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * A file that is read by position and is not trusted to stay unchanged. Reads that happen to run front
 * to back are hashed on the way, so that the digest of a converted file costs no second pass.
 */
export class InputFile implements SourceFile {
  readonly name: string;
  readonly bytes: number;
  readonly #source: ByteSource;
  readonly #hash = createHash('sha256');
  /** The hash covers the bytes before this offset. */
  #hashed = 0;

  /** `name` is what messages and records call it. */
  constructor(name: string, source: ByteSource) {
    this.name = name;
    this.#source = source;
    this.bytes = source.bytes;
  }

  /**
   * Opens the file at `path`, calling it `name` in messages. A missing file and anything but a regular file
   * are `invalid-input`, and so is a pointer of Git LFS in place of the file; a file that may not be read is
   * `local-io`. `expected`: its SHA-256 in hex, if that is known.
   */
  static async open(path: string, name: string, expected?: string): Promise<InputFile> {
    return new InputFile(name, await LocalBytes.open(path, name, expected));
  }

  /**
   * Fills all of `into` with the bytes from `offset` on. Only reads in file order are hashed for free, small
   * holes between them included.
   */
  async readInto(into: Uint8Array, offset: number): Promise<void> {
    const end = offset + into.length;
    if (end > this.bytes) {
      throw invalidInput({
        file: this.name,
        what: 'ends too early',
        got: this.bytes,
        expected: `at least ${end} bytes`,
      });
    }
    await this.#fill(into, offset);
    const hole = offset - this.#hashed;
    if (hole > 0 && hole <= MAX_HOLE) await this.readInto(new Uint8Array(hole), this.#hashed);
    if (offset <= this.#hashed && this.#hashed < end) {
      this.#hash.update(into.subarray(this.#hashed - offset));
      this.#hashed = end;
    }
  }

  async sha256(signal?: AbortSignal): Promise<string> {
    if (this.#hashed < this.bytes) {
      const chunk = new Uint8Array(Math.min(HASH_CHUNK, this.bytes - this.#hashed));
      while (this.#hashed < this.bytes) {
        signal?.throwIfAborted();
        await this.readInto(chunk.subarray(0, this.bytes - this.#hashed), this.#hashed);
      }
    }
    const sha256 = this.#hash.copy().digest('hex');
    await this.#source.confirm(sha256);
    return sha256;
  }

  async close(): Promise<void> {
    await this.#source.close();
  }

  async #fill(into: Uint8Array, offset: number): Promise<void> {
    for (let done = 0; done < into.length; ) {
      const count = await this.#source.read(into.subarray(done), offset + done);
      if (count === 0) throw changed(this.name);
      done += count;
    }
  }
}

/** Properties that show that a path still leads to the same, unchanged file. */
interface Identity {
  readonly device: bigint;
  readonly inode: bigint;
  readonly size: bigint;
  readonly modified: bigint;
}

/** A regular file on this machine. */
class LocalBytes implements ByteSource {
  readonly bytes: number;
  readonly #path: string;
  readonly #name: string;
  readonly #handle: FileHandle;
  readonly #identity: Identity;
  readonly #expected: string | undefined;

  private constructor(path: string, name: string, handle: FileHandle, identity: Identity, expected?: string) {
    this.#path = path;
    this.#name = name;
    this.#handle = handle;
    this.#identity = identity;
    this.#expected = expected;
    this.bytes = Number(identity.size);
  }

  static async open(path: string, name: string, expected?: string): Promise<LocalBytes> {
    const { handle, stats } = await openRegular(path).catch((error) => {
      throw openFault(name, error);
    });
    try {
      const file = new LocalBytes(path, name, handle, identityOf(stats), expected);
      await file.#refusePointer();
      return file;
    } catch (error) {
      await handle.close().catch(() => undefined);
      throw error;
    }
  }

  async #refusePointer(): Promise<void> {
    if (this.bytes >= MAX_POINTER_BYTES) return;
    const head = new Uint8Array(FOREIGN_HEAD_BYTES);
    const what = pointerContent(head.subarray(0, await this.read(head, 0)));
    if (what !== undefined) throw invalidInput({ file: this.#name, what });
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    try {
      const { bytesRead } = await this.#handle.read(into, 0, Math.min(MAX_READ, into.length), offset);
      return bytesRead;
    } catch (error) {
      throw localIo(this.#name, error);
    }
  }

  async confirm(sha256: string): Promise<void> {
    const now = await stat(this.#path, { bigint: true }).then(identityOf, () => undefined);
    const before = this.#identity;
    const same =
      now !== undefined &&
      now.device === before.device &&
      now.inode === before.inode &&
      now.size === before.size &&
      now.modified === before.modified;
    if (!same) throw changed(this.#name);
    if (this.#expected !== undefined && sha256 !== this.#expected) {
      const what = 'SHA-256 of a damaged file in the cache, which `plmpress pull` replaces';
      throw new PressError('verification', { file: this.#name, what, got: sha256, expected: this.#expected });
    }
  }

  /** What has been read is what it was, whatever the system says at the end. */
  async close(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
  }
}

function changed(file: string): PressError {
  return invalidInput({ file, what: 'changed while reading' });
}

function identityOf(stats: { dev: bigint; ino: bigint; size: bigint; mtimeNs: bigint }): Identity {
  return { device: stats.dev, inode: stats.ino, size: stats.size, modified: stats.mtimeNs };
}

/** Codes of paths that lead nowhere. They are faults of the model's folder, not of the machine. */
const MISSING = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

/** The error for a path that cannot be opened: invalid input if it is not a file, otherwise local I/O. */
export function openFault(name: string, error: unknown): PressError {
  if (error instanceof NotRegular) return invalidInput({ file: name, what: error.message });
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return MISSING.has(code) ? invalidInput({ file: name, what: `missing (${code})` }) : localIo(name, error);
}
