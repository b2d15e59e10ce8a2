import { ScratchFile } from '../../io/staging/scratch-file.ts';
import type { HiddenStates } from '../../runtime/hidden-states.ts';

/** Hidden states in a file, for texts whose states are a large part of the memory. */
export class SpilledStates implements HiddenStates {
  readonly #file: ScratchFile;
  readonly #channels: number;

  private constructor(file: ScratchFile, channels: number) {
    this.#file = file;
    this.#channels = channels;
  }

  /** @throws PressError local-io where the disk of `folder` has too little room. */
  static async create(folder: string, tokens: number, channels: number): Promise<SpilledStates> {
    return new SpilledStates(await ScratchFile.create(folder, 'states', 4 * tokens * channels), channels);
  }

  read(first: number, into: Float32Array): Promise<void> {
    return this.#file.read(bytesOf(into), 4 * first * this.#channels);
  }

  write(first: number, from: Float32Array): Promise<void> {
    return this.#file.write(bytesOf(from), 4 * first * this.#channels);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
