/** Computes the logits of a model, of one sequence at a time. */
export interface LogitsEngine {
  /** Working memory. */
  readonly memoryBytes: number;
  /**
   * Share of the FFN's neurons above zero, by layer, over all tokens so far; undefined if the engine
   * does not report it.
   */
  readonly firing?: readonly number[] | undefined;
  /** Forgets all tokens. */
  reset(): void;
  /** Appends tokens and yields the logits after each. A row is valid until the next one is requested. */
  logits(ids: readonly number[]): AsyncIterable<Float32Array>;
  close(): Promise<void>;
}

export interface EngineOptions {
  /** Most tokens of a sequence. */
  readonly contextLength: number;
  /** Bytes of working memory allowed. */
  readonly maxMemory?: number;
}

export type OpenEngine = (options: EngineOptions) => Promise<LogitsEngine>;
