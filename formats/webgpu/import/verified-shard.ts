import type { InputFile } from '../../../src/io/input-file.ts';
import { differsFromManifest } from './bundle-content.ts';
import type { OpenShard } from './plane-tensor.ts';

/** A shard that gives no byte before all of it is known to be what the manifest says. */
export class VerifiedShard implements OpenShard {
  readonly file: number;
  readonly #input: InputFile;
  readonly #sha256: string;
  #verified: Promise<void> | undefined;

  /** `file`: index of `input` in `Model.files`. */
  constructor(input: InputFile, file: number, sha256: string) {
    this.#input = input;
    this.file = file;
    this.#sha256 = sha256;
  }

  /** @throws PressError verification where the shard has another SHA-256. */
  async readInto(into: Uint8Array, offset: number): Promise<void> {
    this.#verified ??= this.#verify();
    await this.#verified;
    await this.#input.readInto(into, offset);
  }

  async #verify(): Promise<void> {
    const got = await this.#input.sha256();
    if (got === this.#sha256) return;
    throw differsFromManifest(this.#input.name, 'SHA-256', got, this.#sha256);
  }
}
