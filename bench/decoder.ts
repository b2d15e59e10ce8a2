/** A model that adds one token to a cache, over and over. */
export interface Decoder {
  /** Brings the cache to so many tokens. Lengths ascend. */
  fill(tokens: number): Promise<void>;
  /** Milliseconds of one token more, which is forgotten then. */
  decode(): Promise<number>;
  close(): Promise<void>;
}

/** How `openDecoder` of an engine opens a file. */
export interface DecoderOptions {
  readonly threads: number;
  /** Most tokens that it is filled with. */
  readonly contextLength: number;
}
