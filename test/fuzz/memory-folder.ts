import { createHash } from 'node:crypto';
import { type ByteSource, InputFile } from '../../src/io/input-file.ts';
import { SourceFolder } from '../../src/io/source-folder.ts';
import type { Files } from './target.ts';

/**
 * Files in memory, as readers see those of a folder. Knows what has been left open, and that nothing outside
 * is read.
 */
export class MemoryFolder {
  readonly #files: Files;
  #open = 0;

  constructor(files: Files) {
    this.#files = files;
  }

  folder(): SourceFolder {
    return new SourceFolder({
      name: 'model',
      entries: [...this.#files.keys()],
      open: async (name, label) => this.file(name, label),
      folder: async () => undefined,
    });
  }

  /** An open file. */
  file(name: string, label = name): InputFile {
    const content = this.#files.get(name) ?? new Uint8Array();
    this.#open++;
    let isOpen = true;
    const source: ByteSource = {
      bytes: content.length,
      async read(into, offset) {
        if (!isOpen) throw new Error(`${name} is read after it was closed`);
        if (!(offset >= 0 && offset + into.length <= content.length)) {
          throw new Error(`${into.length} bytes are read at ${offset} of ${content.length}`);
        }
        into.set(content.subarray(offset, offset + into.length));
        return into.length;
      },
      confirm: async (sha256) => {
        if (sha256 !== createHash('sha256').update(content).digest('hex')) throw new Error('another SHA-256');
      },
      close: async () => {
        if (isOpen) this.#open--;
        isOpen = false;
      },
    };
    return new InputFile(label, source);
  }

  /** Runs a reader, and holds it to closing what it opened. */
  async whole(read: () => Promise<void>): Promise<void> {
    try {
      await read();
    } finally {
      // biome-ignore lint/correctness/noUnsafeFinally: a leak counts more than why the input is refused
      if (this.#open > 0) throw new Error(`${this.#open} files are left open`);
    }
  }
}
