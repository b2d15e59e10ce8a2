import { createHash } from 'node:crypto';
import { type FileHandle, lstat, readFile } from 'node:fs/promises';
import { localIo } from '../../core/errors.ts';
import { openOwn } from '../locks/own-file.ts';
import { unlessRefused } from '../refusals.ts';
import { writeFully } from './write-fully.ts';

/** Hex digits of the digest of work and text that begins a line. */
const DIGEST_LENGTH = 64;
/** A line of 400 bytes for each tensor of the largest plan is a tenth of this. */
const MAX_BYTES = 64_000_000;

/**
 * Lines of text that the work called `key` appends as it proceeds. The digest of a line shows that it is
 * complete and of the same work. From the first line that is not, all lines are ignored.
 */
export class Journal {
  /** The lines that it had when it was opened. */
  readonly found: readonly string[];
  /** Whether the file had content, but no valid line. */
  readonly wasForeign: boolean;
  readonly #path: string;
  readonly #key: string;
  readonly #handle: FileHandle;
  #end: number;

  private constructor(path: string, key: string, handle: FileHandle, content: string) {
    this.#path = path;
    this.#key = key;
    this.#handle = handle;
    const { texts, length } = soundLines(content, key);
    this.found = texts;
    this.#end = length;
    this.wasForeign = content.length > 0 && length === 0;
  }

  /** Creates the file where it is missing. Throws local-io. */
  static async open(path: string, key: string): Promise<Journal> {
    try {
      const handle = await openOwn(path);
      try {
        const { size } = await handle.stat();
        const content = size > MAX_BYTES ? '\n' : await handle.readFile('latin1');
        const journal = new Journal(path, key, handle, content);
        // Bytes that remain after the end are overwritten, or ignored.
        await unlessRefused(() => handle.truncate(journal.#end));
        return journal;
      } catch (error) {
        await handle.close();
        throw error;
      }
    } catch (error) {
      throw localIo(path, error);
    }
  }

  /** Whether the file at `path` belongs to the work called `key`, or is empty. Changes nothing. */
  static async isOf(path: string, key: string): Promise<boolean> {
    try {
      const stats = await lstat(path);
      if (!stats.isFile() || stats.size > MAX_BYTES) return false;
      return stats.size === 0 || soundLines(await readFile(path, 'latin1'), key).length > 0;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
      throw localIo(path, error);
    }
  }

  get isEmpty(): boolean {
    return this.#end === 0;
  }

  /** Appends a line of ASCII. One call at a time. Throws local-io. */
  async append(text: string): Promise<void> {
    const line = Buffer.from(`${digestOf(this.#key, text)} ${text}\n`, 'latin1');
    try {
      await writeFully(this.#handle, line, this.#end);
    } catch (error) {
      throw localIo(this.#path, error);
    }
    this.#end += line.length;
  }

  /**
   * A line that does not reach the disk is ignored when it is read, so failures here are not reported.
   */
  async close(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
  }
}

function soundLines(content: string, key: string): { readonly texts: string[]; readonly length: number } {
  const texts: string[] = [];
  let length = 0;
  for (let end = content.indexOf('\n'); end >= 0; end = content.indexOf('\n', length)) {
    const text = content.slice(length + DIGEST_LENGTH + 1, end);
    if (content.slice(length, length + DIGEST_LENGTH + 1) !== `${digestOf(key, text)} `) break;
    texts.push(text);
    length = end + 1;
  }
  return { texts, length };
}

function digestOf(key: string, text: string): string {
  return createHash('sha256').update(`${key}\n${text}`).digest('hex');
}
