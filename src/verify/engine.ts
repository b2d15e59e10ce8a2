/** Tokens of a text in pieces, each of which is read without a past. */
export type Windows = readonly (readonly number[])[];

/** Computes the logits of a model over the windows that it was opened with. */
export interface LogitsEngine {
  /** Share of the FFN's neurons above zero, by layer; undefined if the engine does not report it. */
  readonly firing?: readonly number[] | undefined;
  /** Tokens per second of all runs so far; undefined if the engine does not report it. */
  readonly tokensPerSecond?: number | undefined;
  /** Yields the logits after each token, window by window. A row is valid until the next one is requested. */
  logits(): AsyncIterable<Float32Array>;
  close(): Promise<void>;
}

/** Opens an engine for windows of at least one token each. */
export type OpenEngine = (windows: Windows) => Promise<LogitsEngine>;
