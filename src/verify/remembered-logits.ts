import type { LogitsEngine } from './engine.ts';

/**
 * Logits that are asked for again and again: computed once and kept where they fit into `budget` bytes, or else
 * computed each time.
 */
export class RememberedLogits implements LogitsEngine {
  readonly #engine: LogitsEngine;
  readonly #keeps: boolean;
  #rows: readonly Float32Array[] | undefined;

  /** `positions`: of all windows together. */
  constructor(engine: LogitsEngine, vocabSize: number, positions: number, budget: number) {
    this.#engine = engine;
    this.#keeps = 4 * vocabSize * positions <= budget;
  }

  async *logits(): AsyncGenerator<Float32Array> {
    if (this.#rows !== undefined) {
      yield* this.#rows;
      return;
    }
    const rows: Float32Array[] = [];
    for await (const row of this.#engine.logits()) {
      if (this.#keeps) rows.push(row.slice());
      yield row;
    }
    if (this.#keeps) this.#rows = rows;
  }

  close(): Promise<void> {
    return this.#engine.close();
  }
}
