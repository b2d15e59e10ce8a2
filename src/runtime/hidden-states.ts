/** The residual stream of all tokens, between two layers. */
export interface HiddenStates {
  /** Fills `into` with the vectors from token number `first` on. */
  read(first: number, into: Float32Array): Promise<void>;
  /** Replaces the vectors from token number `first` on. */
  write(first: number, from: Float32Array): Promise<void>;
}

/** Hidden states in memory: 4 bytes per token and channel. */
export class ResidentStates implements HiddenStates {
  /** Of one token after the other. */
  readonly values: Float32Array;
  readonly #channels: number;

  constructor(tokens: number, channels: number) {
    this.values = new Float32Array(tokens * channels);
    this.#channels = channels;
  }

  async read(first: number, into: Float32Array): Promise<void> {
    const start = first * this.#channels;
    into.set(this.values.subarray(start, start + into.length));
  }

  async write(first: number, from: Float32Array): Promise<void> {
    this.values.set(from, first * this.#channels);
  }
}
