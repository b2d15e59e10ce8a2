import type { Hash } from 'node:crypto';
import { type FileHandle, open, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { localIo, PressError } from '../core/errors.ts';
import type { HubOrigin } from '../core/hub-origin.ts';
import { Retries } from '../core/jobs/retries.ts';
import { syncFolder } from '../io/output-folder.ts';
import { type Refusals, unlessRefused } from '../io/refusals.ts';
import { renameOver } from '../io/staging/rename-over.ts';
import { writeFully } from '../io/staging/write-fully.ts';
import { contentHash } from './cache/content-hash.ts';
import type { Answer } from './http/answer.ts';
import { LEAST_PROGRESS, piecesOf } from './http/body.ts';
import { hubFault, unreachable } from './http/fault.ts';
import { isCompressed, request } from './http/request.ts';
import type { HubRun } from './run.ts';
import { contentId, contentUrl, type HubFile, isLarge } from './tree.ts';

export interface DownloadOptions extends HubRun {
  readonly origin: HubOrigin;
  readonly file: HubFile;
  /** Path that the file gets once it is complete and has its hash. No other run may be writing it. */
  readonly destination: string;
  /** Collects operations that the file system does not support and that the file does not need. */
  readonly refusals: Refusals;
  /** Gets the number of bytes so far: fewer than before if a transfer starts again. */
  readonly onBytes?: (bytes: number) => void;
  /** Throws if the file must not get its name any more. */
  readonly confirm: () => Promise<void>;
}

/**
 * The suffix of an incomplete file, which a later run continues. `hf cache prune` removes files with this
 * suffix.
 */
const INCOMPLETE = '.plmpress.incomplete';
/** Piece in which bytes of an earlier run are hashed again. */
const REHASH_CHUNK = 1 << 20;

/**
 * Downloads a file of a repository. A transfer that breaks off continues where it stopped, now or in a later
 * run. Bytes that do not have the listed hash are discarded and downloaded once more.
 * @throws PressError `network` if the file cannot be downloaded, `local-io` if it cannot be written.
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { file, origin, destination } = options;
  const name = `${origin.repository}/${file.path}`;
  const incomplete = `${destination}${INCOMPLETE}`;
  for (let fresh = false; ; fresh = true) {
    const transfer = await Transfer.open(options, name, incomplete);
    let digest: string;
    try {
      await transfer.fill();
      digest = await transfer.seal();
    } catch (error) {
      if (!transfer.isWorthKeeping) await unlink(incomplete).catch(() => undefined);
      throw error;
    } finally {
      await transfer.close();
    }
    if (digest === contentId(file)) break;
    await unlink(incomplete).catch(() => undefined);
    if (fresh || !transfer.resumed) {
      const kind = isLarge(file) ? 'SHA-256' : 'git hash';
      throw new PressError('network', {
        file: name,
        what: `${kind} of the bytes from the server`,
        got: digest,
        expected: contentId(file),
      });
    }
  }
  await options.confirm();
  try {
    await renameOver(incomplete, destination);
  } catch (error) {
    throw localIo(destination, error);
  }
  await syncFolder(path.dirname(destination), options.refusals);
}

/** Bytes that are still to be downloaded, beside those of an earlier run. */
export async function bytesLeft(file: HubFile, destination: string): Promise<number> {
  return Math.max(0, file.bytes - (await sizeOf(`${destination}${INCOMPLETE}`)));
}

/** 0 if there is none. */
function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}

/** The bytes of one file on their way to the disk, front to back. */
class Transfer {
  /** Whether some of the bytes are from an earlier run or from several connections. */
  resumed: boolean;
  readonly #options: DownloadOptions;
  readonly #name: string;
  readonly #handle: FileHandle;
  #hash: Hash;
  #filled: number;
  /** The first ETag that the server sent for the content. */
  #etag: string | undefined;
  /** Whether the server has sent bytes that cannot be those of the file. */
  #isSpoiled = false;

  private constructor(
    options: DownloadOptions,
    name: string,
    handle: FileHandle,
    hash: Hash,
    filled: number,
  ) {
    this.#options = options;
    this.#name = name;
    this.#handle = handle;
    this.#hash = hash;
    this.#filled = filled;
    this.resumed = filled > 0;
  }

  static async open(options: DownloadOptions, name: string, incomplete: string): Promise<Transfer> {
    const { file } = options;
    try {
      const known = await sizeOf(incomplete);
      const handle = await open(incomplete, known > 0 && known <= file.bytes ? 'r+' : 'w+');
      try {
        const hash = contentHash(file);
        const filled = await hashAll(handle, hash, options.signal);
        return new Transfer(options, name, handle, hash, filled);
      } catch (error) {
        await handle.close();
        throw error;
      }
    } catch (error) {
      options.signal?.throwIfAborted();
      throw localIo(incomplete, error);
    }
  }

  /** Whether a later run can continue with the bytes so far. */
  get isWorthKeeping(): boolean {
    return this.#filled > 0 && !this.#isSpoiled;
  }

  /** Connects as often as it helps. */
  async fill(): Promise<void> {
    const { settings, file, signal, onBytes } = this.#options;
    const retries = new Retries(settings.pauses, signal);
    onBytes?.(this.#filled);
    let furthest = this.#filled;
    while (this.#filled < file.bytes) {
      let cause: unknown;
      try {
        await this.#connect();
        if (this.#filled === file.bytes) return;
        cause = new Error(`the connection ends after ${this.#filled} of ${file.bytes} bytes`);
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof PressError) throw error;
        cause = error;
      }
      this.resumed = true;
      if (this.#filled >= furthest + LEAST_PROGRESS) retries.progress();
      furthest = Math.max(furthest, this.#filled);
      if (!(await retries.again())) throw unreachable(this.#name, cause);
    }
  }

  /** Makes the bytes durable and returns their hash in hex. */
  async seal(): Promise<string> {
    try {
      await this.#options.refusals.allow('sync', () => this.#handle.sync());
    } catch (error) {
      throw localIo(this.#name, error);
    }
    return this.#hash.digest('hex');
  }

  async close(): Promise<void> {
    await this.#handle.close().catch((error) => {
      throw localIo(this.#name, error);
    });
  }

  async #connect(): Promise<void> {
    const { settings, origin, file, onBytes } = this.#options;
    const headers = new Headers({ 'Accept-Encoding': 'identity' });
    if (this.#filled > 0) headers.set('Range', `bytes=${this.#filled}-`);
    const url = contentUrl(settings, origin, file);
    const answer = await request(this.#options, this.#name, url, { headers });
    await this.#align(answer);
    for await (const piece of piecesOf(answer, settings.timeout)) {
      if (this.#filled + piece.length > file.bytes) {
        this.#isSpoiled = true;
        throw hubFault(this.#name, `the server sends more than the ${file.bytes} bytes it lists`);
      }
      try {
        await writeFully(this.#handle, piece, this.#filled);
      } catch (error) {
        throw localIo(this.#name, error);
      }
      this.#hash.update(piece);
      this.#filled += piece.length;
      onBytes?.(this.#filled);
    }
  }

  /** Starts again if an answer does not continue the last one, or has other content. */
  async #align(answer: Answer): Promise<void> {
    const { response, etags, abort } = answer;
    const { headers, status } = response;
    const etag = etags[0] ?? etags[1] ?? undefined;
    const isOther = this.#etag !== undefined && etag !== this.#etag;
    this.#etag = etag;
    const start = status === 206 ? Number(/^bytes (\d+)-/.exec(headers.get('Content-Range') ?? '')?.[1]) : 0;
    if (start !== this.#filled || isOther) await this.#restart();
    if (start === 0) this.#assertLength(answer);
    else if (start !== this.#filled) {
      abort(new Error('another range'));
      throw new Error('the server sent another range than requested');
    }
  }

  #assertLength({ response, abort }: Answer): void {
    if (isCompressed(response)) return;
    const { headers } = response;
    const { bytes } = this.#options.file;
    const length = headers.get('Content-Length');
    if (length === null || Number(length) === bytes) return;
    abort(new Error('another file'));
    this.#isSpoiled = true;
    const type = headers.get('Content-Type') ?? 'no type';
    throw hubFault(this.#name, `the server sends ${length} bytes of ${type}, ${bytes} are listed`);
  }

  async #restart(): Promise<void> {
    try {
      // If the size cannot be set, new bytes overwrite old ones: the result is at least as long.
      await unlessRefused(() => this.#handle.truncate(0));
    } catch (error) {
      throw localIo(this.#name, error);
    }
    this.#hash = contentHash(this.#options.file);
    this.#filled = 0;
  }
}

async function hashAll(handle: FileHandle, hash: Hash, signal?: AbortSignal): Promise<number> {
  const chunk = Buffer.alloc(REHASH_CHUNK);
  for (let at = 0; ; ) {
    signal?.throwIfAborted();
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, at);
    if (bytesRead === 0) return at;
    hash.update(chunk.subarray(0, bytesRead));
    at += bytesRead;
  }
}
