import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Files } from './target.ts';

/** A folder on the disk that holds the files of one case after the other; only what differs is written. */
export class DiskFolder {
  readonly path = mkdtempSync(path.join(os.tmpdir(), 'plmpress-fuzz-'));
  #files: Files = new Map();
  readonly #opened = openFiles();

  place(files: Files): void {
    for (const name of this.#files.keys()) if (!files.has(name)) rmSync(path.join(this.path, name));
    for (const [name, bytes] of files) {
      if (this.#files.get(name) === bytes) continue;
      const file = path.join(this.path, name);
      if (!this.#files.has(name)) mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, bytes);
    }
    this.#files = files;
  }

  /** Throws where a reader has left a file open, or written. */
  assertClean(): void {
    const opened = openFiles();
    if (opened > this.#opened) throw new Error(`${opened - this.#opened} files are left open`);
  }

  /** Removes the folder. Throws where it holds anything but the files of the last case. */
  remove(): void {
    const left = readFolder(this.path);
    rmSync(this.path, { recursive: true });
    const same = left.size === this.#files.size && [...left].every(([name, bytes]) => this.#has(name, bytes));
    if (!same) throw new Error(`readers have written: ${[...left.keys()]}`);
  }

  #has(name: string, bytes: Uint8Array): boolean {
    const own = this.#files.get(name);
    return own !== undefined && Buffer.compare(own, bytes) === 0;
  }
}

/** All files below a folder, by path. */
export function readFolder(folder: string): Map<string, Uint8Array> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => statSync(path.join(folder, name)).isFile());
  return new Map(files.sort().map((name) => [name, readFileSync(path.join(folder, name))]));
}

/** Descriptors of this process; 0 where the system does not list them. */
function openFiles(): number {
  const list = '/proc/self/fd';
  return existsSync(list) ? readdirSync(list).length : 0;
}
