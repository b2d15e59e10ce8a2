import { localIo } from '../core/errors.ts';

/** The stream that a command writes to: a standard stream, or a replacement for one. */
export interface OutputStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Stdout with backpressure: `write` resolves when the system has taken the text. */
export class Output {
  readonly isTty: boolean;
  readonly #stream: OutputStream;
  #closed = false;
  #isMidLine = false;

  constructor(stream: OutputStream) {
    this.#stream = stream;
    this.isTty = stream.isTTY === true;
  }

  /** Whether the reader has closed the stream, as `head` does. Later writes are dropped. */
  get closed(): boolean {
    return this.#closed;
  }

  async write(text: string): Promise<void> {
    if (this.#closed || text === '') return;
    this.#isMidLine = !text.endsWith('\n');
    const error = await new Promise<NodeJS.ErrnoException | null | undefined>((resolve) => {
      this.#stream.write(text, resolve);
    });
    if (!error) return;
    if (error.code !== 'EPIPE') throw localIo('stdout', error);
    this.#closed = true;
  }

  /** Whether the cursor of a terminal is after text, not at the start of a line. */
  get isMidLine(): boolean {
    return this.isTty && this.#isMidLine;
  }

  /** Ends an unfinished line of a terminal. */
  async endLine(): Promise<void> {
    if (this.isMidLine) await this.write('\n');
  }
}
