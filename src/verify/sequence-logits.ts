import type { LogitsEngine, Windows } from './engine.ts';

/** Computes the logits of a model, of one sequence at a time. */
export interface SequenceEngine {
  readonly tokensPerSecond?: number | undefined;
  /** Forgets all tokens. */
  reset(): void;
  /** Appends tokens and yields the logits after each. A row is valid until the next one is requested. */
  logits(ids: readonly number[]): AsyncIterable<Float32Array>;
  close(): Promise<void>;
}

/** Sends windows through an engine, one after the other. */
export class SequenceLogits implements LogitsEngine {
  readonly #engine: SequenceEngine;
  readonly #windows: Windows;

  constructor(engine: SequenceEngine, windows: Windows) {
    this.#engine = engine;
    this.#windows = windows;
  }

  get tokensPerSecond(): number | undefined {
    return this.#engine.tokensPerSecond;
  }

  async *logits(): AsyncGenerator<Float32Array, void> {
    for (const window of this.#windows) {
      this.#engine.reset();
      yield* this.#engine.logits(window);
    }
  }

  close(): Promise<void> {
    return this.#engine.close();
  }
}
