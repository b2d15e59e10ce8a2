import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { DecoderOptions } from './decoder.ts';

/** A file to decode with, and what with. */
export interface DecoderRequest extends DecoderOptions {
  readonly engine: 'onnxruntime' | 'llama.cpp';
  readonly file: string;
}

/** The fastest of some tokens, and the memory that the process held right behind one. */
export interface Decoded {
  readonly milliseconds: number;
  readonly residentBytes: number;
}

/** What a child is told: how many tokens its cache shall hold, or how many it shall add one at a time. */
export type DecoderCommand = { readonly fill: number } | { readonly decode: number };

const CHILD = fileURLToPath(new URL('./decoder-child.js', import.meta.url));

/**
 * A decoder in a process of its own, so that its memory is its own. Between commands it rests: several can
 * take turns.
 */
export class DecoderProcess {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async open(request: DecoderRequest): Promise<DecoderProcess> {
    const child = fork(CHILD, [JSON.stringify(request)]);
    const opened = new DecoderProcess(child);
    await opened.#answer();
    return opened;
  }

  async fill(tokens: number): Promise<void> {
    await this.#send({ fill: tokens });
  }

  /** Adds a token so many times to what it has been filled with. */
  decode(times: number): Promise<Decoded> {
    return this.#send({ decode: times });
  }

  async close(): Promise<void> {
    const exit = once(this.#child, 'exit');
    this.#child.disconnect();
    await exit;
  }

  #send(command: DecoderCommand): Promise<Decoded> {
    this.#child.send(command);
    return this.#answer();
  }

  #answer(): Promise<Decoded> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null) => reject(new Error(`a decoder ended with ${code}`));
      this.#child.once('exit', ended);
      this.#child.once('message', (answer) => {
        this.#child.off('exit', ended);
        resolve(answer as Decoded);
      });
    });
  }
}
