import { Retries } from '../../core/jobs/retries.ts';
import { BundleError } from '../bundle-error.ts';
import { chunksOf } from './chunks.ts';

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  /** `reload` passes by what caches on the way hold. */
  readonly cache?: RequestCache;
  /** Milliseconds before each further try. */
  readonly pauses?: readonly number[];
  /** Memory to be used, of the file's size at least. */
  readonly room?: Uint8Array<ArrayBuffer>;
  /** Takes the bytes that are there now: fewer than before where a transfer begins anew. */
  readonly onBytes?: (bytes: number) => void;
}

/** Milliseconds before each further try. A phone that changes networks needs some seconds. */
const PAUSES: readonly number[] = [250, 1000, 2000, 4000, 8000];

/** A connection that gives nothing for so many milliseconds counts as dropped. */
const STALL = 30_000;

/** Answers that another try may turn into better ones. */
const TRANSIENT = [408, 425, 429];

/**
 * A plain GET without Referer: nothing that hosts, or a preflight, could refuse. Throws `BundleError` for
 * answers that stay wrong, what `fetch` throws for others.
 */
export async function get(url: string, file: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...init, referrerPolicy: 'no-referrer' });
  const { status } = response;
  if (response.ok || status === 416) return response;
  await response.body?.cancel();
  const message = `${file}: the server answers ${status} ${response.statusText}`.trimEnd();
  if (status >= 500 || TRANSIENT.includes(status)) throw new Error(message);
  throw new BundleError('network', message);
}

/**
 * Fetches a file of known size into one buffer. A dropped connection resumes where it ended, with a range; a
 * server that knows no ranges sends the whole again. Throws `BundleError` `network` when nothing new comes.
 */
export async function download(
  url: string,
  { file, bytes }: { readonly file: string; readonly bytes: number },
  options: DownloadOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const buffer = options.room?.subarray(0, bytes) ?? new Uint8Array(bytes);
  const transfer = new Transfer(url, file, buffer, options);
  const retries = new Retries(options.pauses ?? PAUSES, options.signal);
  let furthest = 0;
  for (;;) {
    let cause: unknown;
    try {
      if (await transfer.run()) return transfer.buffer;
      cause = new Error(`the connection ends after ${transfer.filled} of ${bytes} bytes`);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (error instanceof BundleError) throw error;
      cause = error;
    }
    if (transfer.filled > furthest) retries.progress();
    furthest = Math.max(furthest, transfer.filled);
    if (!(await retries.again())) throw unreachable(file, cause);
  }
}

/** Fetches a file of unknown size. Throws as `download`. */
export async function downloadSmall(
  url: string,
  file: string,
  { signal, cache, pauses }: DownloadOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const retries = new Retries(pauses ?? PAUSES, signal);
  for (;;) {
    try {
      const response = await get(url, file, init(signal, cache));
      return new Uint8Array(await response.arrayBuffer());
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof BundleError) throw error;
      if (!(await retries.again())) throw unreachable(file, error);
    }
  }
}

function init(signal?: AbortSignal, cache?: RequestCache): RequestInit {
  return { ...(signal && { signal }), ...(cache && { cache }) };
}

function unreachable(file: string, cause: unknown): BundleError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new BundleError('network', `${file}: cannot be fetched: ${reason}`, { cause });
}

class Transfer {
  readonly buffer: Uint8Array<ArrayBuffer>;
  /** Bytes at the front of `buffer` that have come. */
  filled = 0;
  readonly #url: string;
  readonly #file: string;
  readonly #options: DownloadOptions;

  constructor(url: string, file: string, buffer: Uint8Array<ArrayBuffer>, options: DownloadOptions) {
    this.buffer = buffer;
    this.#url = url;
    this.#file = file;
    this.#options = options;
  }

  /** One connection. Returns whether the file is whole. */
  async run(): Promise<boolean> {
    const { signal, cache } = this.#options;
    const stall = new AbortController();
    const timer = new Watchdog(() => stall.abort(new Error(`nothing came for ${STALL / 1000} s`)));
    try {
      const both = signal ? AbortSignal.any([signal, stall.signal]) : stall.signal;
      const resumed = this.filled > 0;
      const response = await get(this.#url, this.#file, {
        ...init(both, cache),
        ...(resumed && { headers: { Range: `bytes=${this.filled}-` } }),
      });
      if (resumed && !this.#continues(response)) this.#fill(0);
      // 416: the server holds less than came before. The whole file is asked for next.
      if (response.status === 416) return false;
      await this.#read(response, timer);
      return this.filled === this.buffer.length;
    } finally {
      timer.stop();
    }
  }

  /** Whether the answer goes on where the last connection ended. Other origins may hide where it begins. */
  #continues(response: Response): boolean {
    if (response.status !== 206) return false;
    const range = /^bytes (\d+)-/.exec(response.headers.get('Content-Range') ?? '');
    return range === null || Number(range[1]) === this.filled;
  }

  async #read(response: Response, timer: Watchdog): Promise<void> {
    for await (const chunk of chunksOf(response)) {
      timer.reset();
      const end = this.filled + chunk.length;
      if (end > this.buffer.length) {
        throw new BundleError(
          'invalid-bundle',
          `${this.#file}: more than the ${this.buffer.length} bytes it has`,
        );
      }
      this.buffer.set(chunk, this.filled);
      this.#fill(end);
    }
  }

  #fill(bytes: number): void {
    this.filled = bytes;
    this.#options.onBytes?.(bytes);
  }
}

/** Calls back where it is not reset in time. */
class Watchdog {
  readonly #bark: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(bark: () => void) {
    this.#bark = bark;
    this.reset();
  }

  reset(): void {
    this.stop();
    this.#timer = setTimeout(this.#bark, STALL);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
