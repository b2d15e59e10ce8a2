import { createHash } from 'node:crypto';
import { unlink } from 'node:fs/promises';
import { localIo, PressError } from '../../core/errors.ts';
import { NotRegular, readRegular } from '../regular-file.ts';
import { replaceFile } from './replace-file.ts';

/** Hex digits of the SHA-256 of key, step and buffers, which begins the file. */
const DIGEST_LENGTH = 64;

/** A file with the progress of long work: the key of the work, the step, and the state at that step. */
export class ResumeFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Fills the buffers and returns the step of the work called `key`. Returns 0 and leaves the buffers alone
   * if the file is missing, damaged or of other work. Throws local-io where the file cannot be read.
   */
  async load(key: string, buffers: readonly Uint8Array[]): Promise<number> {
    const content = await this.#read();
    const end = content?.indexOf(0, DIGEST_LENGTH) ?? -1;
    if (content === undefined || end < 0) return 0;
    const { key: found, step } = headerOf(content.subarray(DIGEST_LENGTH, end));
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    if (found !== key || content.length !== end + 1 + bytes) return 0;
    const parts: Uint8Array[] = [];
    let at = end + 1;
    for (const { length } of buffers) {
      parts.push(content.subarray(at, at + length));
      at += length;
    }
    if (digestOf(key, step, parts) !== content.toString('latin1', 0, DIGEST_LENGTH)) return 0;
    for (const [index, part] of parts.entries()) buffers[index]!.set(part);
    return step;
  }

  /** Undefined if the file does not exist. */
  async #read(): Promise<Buffer | undefined> {
    try {
      return await readRegular(this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      if (error instanceof NotRegular) {
        throw new PressError('local-io', { file: this.#path, what: error.message });
      }
      throw localIo(this.#path, error);
    }
  }

  /** Replaces the file. Throws local-io if it cannot be written. */
  async save(key: string, step: number, buffers: readonly Uint8Array[]): Promise<void> {
    const header = Buffer.from(`${digestOf(key, step, buffers)}${JSON.stringify({ key, step })}\0`);
    await replaceFile(this.#path, header, ...buffers);
  }

  async remove(): Promise<void> {
    await unlink(this.#path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw localIo(this.#path, error);
    });
  }
}

function headerOf(bytes: Buffer): { key?: unknown; step: number } {
  try {
    const { key, step } = JSON.parse(bytes.toString('utf8'));
    return { key, step: Number.isSafeInteger(step) && step > 0 ? step : 0 };
  } catch {
    return { step: 0 };
  }
}

function digestOf(key: string, step: number, buffers: readonly Uint8Array[]): string {
  const hash = createHash('sha256').update(JSON.stringify({ key, step }));
  for (const buffer of buffers) hash.update(buffer);
  return hash.digest('hex');
}
