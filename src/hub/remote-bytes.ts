import { PressError } from '../core/errors.ts';
import type { HubOrigin } from '../core/hub-origin.ts';
import { Retries } from '../core/jobs/retries.ts';
import type { ByteSource } from '../io/input-file.ts';
import type { Answer } from './http/answer.ts';
import { LEAST_PROGRESS, piecesOf } from './http/body.ts';
import { hubFault, unreachable } from './http/fault.ts';
import { isCompressed, request } from './http/request.ts';
import type { HubRun } from './run.ts';
import { contentId, contentUrl, type HubFile, isLarge } from './tree.ts';

/**
 * The beginning of a file, which importers look at more than once, is kept: the headers of most files fit.
 */
const HEAD_BYTES = 256 << 10;
/** Size of the first range after it, and of the first after a jump. */
const FIRST_WINDOW = 1 << 20;
/** Ranges grow up to this size while reading is sequential, so that requests cost little. */
const LAST_WINDOW = 64 << 20;

/**
 * A file of a repository that is read by ranges, without a copy on this machine. Reading front to back takes
 * few requests; a range that breaks off is asked for again from where it ended.
 */
export class RemoteBytes implements ByteSource {
  readonly bytes: number;
  readonly #run: HubRun;
  readonly #name: string;
  readonly #url: string;
  readonly #file: HubFile;
  #head: Uint8Array | undefined;
  #window = FIRST_WINDOW;
  #pieces: AsyncGenerator<Uint8Array> | undefined;
  /** Bytes that have arrived and have not been read yet, from `#position` on. */
  #rest: Uint8Array = new Uint8Array();
  #position = 0;
  /** The end of the range that is being received. */
  #end = 0;
  #last: Promise<unknown> = Promise.resolve();
  readonly #retries: Retries;
  /** The ETags that servers have sent for the content. */
  #etags: Answer['etags'] = [null, null];
  /** Bytes that have come since the last failure. */
  #came = 0;

  constructor(run: HubRun, origin: HubOrigin, file: HubFile) {
    this.#run = run;
    this.#name = `${origin.repository}/${file.path}`;
    this.#url = contentUrl(run.settings, origin, file);
    this.#file = file;
    this.bytes = file.bytes;
    this.#retries = new Retries(run.settings.pauses, run.signal);
  }

  /** Reads come one after the other: there is one range under way. */
  read(into: Uint8Array, offset: number): Promise<number> {
    const reading = this.#last.then(() => this.#read(into, offset));
    this.#last = reading.catch(() => undefined);
    return reading;
  }

  async confirm(sha256: string): Promise<void> {
    if (!isLarge(this.#file)) return;
    const oid = contentId(this.#file);
    if (sha256 === oid) return;
    const what = 'SHA-256 of the bytes from the server';
    throw new PressError('network', { file: this.#name, what, got: sha256, expected: oid });
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#drop();
  }

  async #read(into: Uint8Array, offset: number): Promise<number> {
    if (offset >= this.bytes || into.length === 0) return 0;
    for (;;) {
      try {
        if (offset < HEAD_BYTES) return await this.#readHead(into, offset);
        if (this.#rest.length === 0 || offset !== this.#position) await this.#advance(offset, into.length);
        const count = Math.min(into.length, this.#rest.length);
        into.set(this.#rest.subarray(0, count));
        this.#rest = this.#rest.subarray(count);
        this.#position += count;
        return count;
      } catch (error) {
        await this.#drop();
        this.#run.signal?.throwIfAborted();
        if (error instanceof PressError) throw error;
        if (this.#came >= LEAST_PROGRESS) this.#retries.progress();
        this.#came = 0;
        if (!(await this.#retries.again())) throw unreachable(this.#name, error);
      }
    }
  }

  async #readHead(into: Uint8Array, offset: number): Promise<number> {
    if (this.#head === undefined) {
      const head = new Uint8Array(Math.min(HEAD_BYTES, this.bytes));
      for (let filled = 0; filled < head.length; ) {
        await this.#advance(filled, head.length - filled);
        const piece = this.#rest.subarray(0, head.length - filled);
        head.set(piece, filled);
        filled += piece.length;
        this.#rest = this.#rest.subarray(piece.length);
        this.#position = filled;
      }
      this.#head = head;
    }
    const piece = this.#head.subarray(offset, offset + into.length);
    into.set(piece);
    return piece.length;
  }

  /** Lets `#rest` begin at `offset`. `wanted`: bytes that will be read there at least. */
  async #advance(offset: number, wanted: number): Promise<void> {
    const goesOn = offset === this.#position && this.#position > 0;
    if (this.#pieces === undefined || !goesOn || offset >= this.#end) {
      await this.#drop();
      this.#window = goesOn ? Math.min(LAST_WINDOW, 4 * this.#window) : FIRST_WINDOW;
      const window = offset === 0 ? wanted : Math.max(this.#window, wanted);
      await this.#connect(offset, Math.min(this.bytes, offset + window));
    }
    const next = await this.#pieces!.next();
    if (next.done) throw new Error(`the connection ends after ${offset} of ${this.#end} bytes`);
    if (offset + next.value.length > this.#end)
      throw hubFault(this.#name, 'the server sent more bytes than requested');
    this.#rest = next.value;
    this.#came += next.value.length;
  }

  async #connect(offset: number, end: number): Promise<void> {
    const { settings } = this.#run;
    const headers = new Headers({ 'Accept-Encoding': 'identity', Range: `bytes=${offset}-${end - 1}` });
    const answer = await request(this.#run, this.#name, this.#url, { headers });
    const { status, headers: given } = answer.response;
    const range = `bytes ${offset}-${end - 1}`;
    // A body that comes in chunks or is compressed on the way tells no length. Its end and its hash show what
    // it was.
    const length = isCompressed(answer.response) ? null : given.get('Content-Length');
    // Servers that make answers on the way may know no ranges: what comes first is passed over.
    const isWhole = status === 200 && (length === null || Number(length) === this.bytes);
    const ranges = [`${range}/${this.bytes}`, `${range}/*`];
    const contentRange = given.get('Content-Range') ?? '';
    const isRange = status === 206 && ranges.includes(contentRange);
    if (!isWhole && !isRange) {
      answer.abort(new Error('another range'));
      const size = /\/(\d+)$/.exec(contentRange)?.[1];
      const isOther = size !== undefined && Number(size) !== this.bytes;
      const has = isOther ? `; it has ${size} bytes, ${this.bytes} are listed` : '';
      throw hubFault(this.#name, `the server does not answer the range ${ranges[0]} (${status})${has}`);
    }
    this.#assertSame(answer);
    const pieces = piecesOf(answer, settings.timeout);
    this.#pieces = isWhole ? passOver(pieces, offset) : pieces;
    this.#position = offset;
    this.#end = isWhole ? this.bytes : end;
  }

  /** Compares ETags, because the hash of the file cannot be checked if only some ranges are read. */
  #assertSame({ etags: [linked, own], abort }: Answer): void {
    const [linkedBefore, ownBefore] = this.#etags;
    this.#etags = [linked ?? linkedBefore, own ?? ownBefore];
    for (const [got, expected] of [
      [linked, linkedBefore],
      [own, ownBefore],
    ]) {
      if (got == null || expected == null || got === expected) continue;
      abort(new Error('another content'));
      const what = 'changed on the server while it was read: its ETag';
      throw new PressError('network', { file: this.#name, what, got, expected });
    }
  }

  async #drop(): Promise<void> {
    this.#rest = new Uint8Array();
    await this.#pieces?.return(undefined);
    this.#pieces = undefined;
  }
}

/** The pieces without the first `count` bytes. */
async function* passOver(pieces: AsyncGenerator<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count;
  for await (const piece of pieces) {
    if (left < piece.length) yield piece.subarray(left);
    left = Math.max(0, left - piece.length);
  }
}
