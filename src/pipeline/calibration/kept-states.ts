import path from 'node:path';
import { ResumeFile } from '../../io/staging/resume-file.ts';

/** What is kept of all tokens and layers so far. Views of what the work goes on with. */
type State = readonly (Float32Array | Uint16Array)[];

/**
 * The hidden states after the latest two layers, in a folder of work that can be resumed: those before the
 * last, since the work on a layer may have been lost where its states were not.
 */
export class KeptStates {
  readonly #files: readonly ResumeFile[];
  readonly #key: string;

  /** `key` tells the work from others. */
  constructor(folder: string, key: string) {
    this.#files = [0, 1].map((number) => new ResumeFile(path.join(folder, `states-${number}`)));
    this.#key = key;
  }

  /** Fills `state`, and returns after how many layers it is: as many as there are up to `most`, or 0. */
  async load(state: State, most: number): Promise<number> {
    const found = [];
    for (const [number, file] of this.#files.entries()) {
      found.push({ number, layers: await file.load(this.#key, state.map(bytesOf)) });
    }
    const best = found.filter(({ layers }) => layers <= most).toSorted((a, b) => b.layers - a.layers)[0];
    if (best === undefined || best.layers === 0) return 0;
    return this.#files[best.number]!.load(this.#key, state.map(bytesOf));
  }

  /** Replaces the older of the two. */
  async save(state: State, layers: number): Promise<void> {
    await this.#files[layers % 2]!.save(this.#key, layers, state.map(bytesOf));
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
