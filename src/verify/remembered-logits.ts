import type { LogitsEngine } from './engine.ts';

/**
 * Logits of one sequence of windows, asked for again and again: computed once and kept where they fit into
 * `budget` bytes, or else computed each time. Windows must come in the same order after each `rewind`.
 */
export class RememberedLogits implements LogitsEngine {
  readonly #engine: LogitsEngine;
  readonly #keeps: boolean;
  readonly #rows: Float32Array[] = [];
  #at = 0;

  /** `positions`: of all windows together. */
  constructor(engine: LogitsEngine, vocabSize: number, positions: number, budget: number) {
    this.#engine = engine;
    this.#keeps = 4 * vocabSize * positions <= budget;
  }

  get memoryBytes(): number {
    return this.#engine.memoryBytes + this.#rows.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Begins with the first window again. */
  rewind(): void {
    this.#at = 0;
  }

  reset(): void {
    this.#engine.reset();
  }

  async *logits(ids: readonly number[]): AsyncGenerator<Float32Array> {
    const first = this.#at;
    this.#at += ids.length;
    if (first + ids.length <= this.#rows.length) {
      yield* this.#rows.slice(first, this.#at);
      return;
    }
    let position = first;
    for await (const row of this.#engine.logits(ids)) {
      // A pass that was broken off may have kept some of them.
      if (this.#keeps && position === this.#rows.length) this.#rows.push(row.slice());
      position++;
      yield row;
    }
  }

  close(): Promise<void> {
    return this.#engine.close();
  }
}
