import { PressError } from '../core/errors.ts';
import type { HubOrigin } from '../core/model.ts';
import type { ByteSource } from '../io/input-file.ts';
import { piecesOf } from './body.ts';
import { hubFault, request, unreachable } from './request.ts';
import { Retries } from './retries.ts';
import type { HubRun } from './snapshot.ts';
import { contentUrl, type HubFile, isLarge } from './tree.ts';

/** First range asked for: the headers of most files fit. */
const FIRST_WINDOW = 256 << 10;
/** Ranges grow where reading goes on, up to this: a request for each costs little then. */
const LAST_WINDOW = 64 << 20;

/**
 * A file of a repository that is read by ranges, without a copy on this machine. Reading front to back takes few
 * requests; a range that breaks off is asked for again from where it ended.
 */
export class RemoteBytes implements ByteSource {
  readonly bytes: number;
  readonly #run: HubRun;
  readonly #name: string;
  readonly #url: string;
  readonly #file: HubFile;
  #window = FIRST_WINDOW;
  #pieces: AsyncGenerator<Uint8Array> | undefined;
  /** What has come and has not been read yet, from `#position` on. */
  #rest: Uint8Array = new Uint8Array();
  #position = 0;
  /** Where the range ends that is under way. */
  #end = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(run: HubRun, origin: HubOrigin, file: HubFile) {
    this.#run = run;
    this.#name = `${origin.repository}/${file.path}`;
    this.#url = contentUrl(run.settings, origin, file);
    this.#file = file;
    this.bytes = file.bytes;
  }

  /** Reads come one after the other: there is one range under way. */
  read(into: Uint8Array, offset: number): Promise<number> {
    const reading = this.#last.then(() => this.#read(into, offset));
    this.#last = reading.catch(() => undefined);
    return reading;
  }

  async confirm(sha256: string): Promise<void> {
    const { oid } = this.#file;
    if (!isLarge(this.#file) || sha256 === oid) return;
    const what = 'SHA-256 of what the server sends';
    throw new PressError('network', { file: this.#name, what, got: sha256, expected: oid });
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#drop();
  }

  async #read(into: Uint8Array, offset: number): Promise<number> {
    if (offset >= this.bytes || into.length === 0) return 0;
    const retries = new Retries(this.#run.settings.pauses, this.#run.signal);
    for (;;) {
      try {
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
        if (!(await retries.again())) throw unreachable(this.#name, error);
      }
    }
  }

  /** Lets `#rest` begin at `offset`. `wanted`: bytes that will be read there at least. */
  async #advance(offset: number, wanted: number): Promise<void> {
    const goesOn = offset === this.#position && this.#position > 0;
    if (this.#pieces === undefined || !goesOn || offset >= this.#end) {
      await this.#drop();
      this.#window = goesOn ? Math.min(LAST_WINDOW, 4 * this.#window) : FIRST_WINDOW;
      await this.#connect(offset, Math.min(this.bytes, offset + Math.max(this.#window, wanted)));
    }
    const next = await this.#pieces!.next();
    if (next.done) throw new Error(`the connection ends after ${offset} of ${this.#end} bytes`);
    if (offset + next.value.length > this.#end)
      throw hubFault(this.#name, 'the server sends more than asked');
    this.#rest = next.value;
  }

  async #connect(offset: number, end: number): Promise<void> {
    const { settings, signal } = this.#run;
    const headers = new Headers({ 'Accept-Encoding': 'identity', Range: `bytes=${offset}-${end - 1}` });
    const answer = await request(settings, this.#name, this.#url, { headers, ...(signal && { signal }) });
    const { status, headers: given } = answer.response;
    const range = `bytes ${offset}-${end - 1}/${this.bytes}`;
    const isWhole = status === 200 && offset === 0 && Number(given.get('Content-Length')) === this.bytes;
    if (!isWhole && given.get('Content-Range') !== range) {
      answer.abort(new Error('another range'));
      throw hubFault(this.#name, `the server does not answer the range ${range} (${status})`);
    }
    this.#pieces = piecesOf(answer, settings.timeout);
    this.#position = offset;
    this.#end = isWhole ? this.bytes : end;
  }

  async #drop(): Promise<void> {
    this.#rest = new Uint8Array();
    await this.#pieces?.return(undefined);
    this.#pieces = undefined;
  }
}
