import type { Dimension, ValueInfo } from '../../onnx/graph.ts';
import type { SequenceEngine } from '../../verify/sequence-logits.ts';

/** Something that runs the graph of a language model, with values of its own kind. */
export interface GraphRunner<Value> {
  /** int64 values of a shape. */
  integers(values: readonly number[], shape: readonly number[]): Value;
  /** A tensor without elements. */
  empty(info: ValueInfo, shape: readonly number[]): Value;
  /** Elements of a tensor of f32. */
  floats(value: Value): Float32Array;
  run(feeds: Readonly<Record<string, Value>>): Promise<Readonly<Record<string, Value>>>;
  close(): Promise<void>;
}

/** Tokens that go through the graph together: their logits of PLM-1.8B take 20 MB. */
const TOKENS_A_RUN = 32;

/**
 * Sends a sequence through a graph in pieces, as runtimes do: what comes out as `present.…` goes in as
 * `past_key_values.…`.
 */
export class GraphDecoder<Value> implements SequenceEngine {
  readonly #runner: GraphRunner<Value>;
  readonly #caches: readonly ValueInfo[];
  #past: Readonly<Record<string, Value>> = {};
  #position = 0;
  #seconds = 0;
  #tokens = 0;

  constructor(runner: GraphRunner<Value>, inputs: readonly ValueInfo[]) {
    this.#runner = runner;
    this.#caches = inputs.filter(({ name }) => name.startsWith('past_key_values.'));
    this.reset();
  }

  reset(): void {
    this.#position = 0;
    this.#past = Object.fromEntries(
      this.#caches.map((info) => [info.name, this.#runner.empty(info, info.shape!.map(emptySize))]),
    );
  }

  async *logits(ids: readonly number[]): AsyncGenerator<Float32Array, void> {
    for (let first = 0; first < ids.length; first += TOKENS_A_RUN) {
      const part = ids.slice(first, first + TOKENS_A_RUN);
      const logits = await this.#run(part);
      const width = logits.length / part.length;
      for (let row = 0; row < part.length; row++) yield logits.subarray(row * width, (row + 1) * width);
    }
  }

  /** Tokens per second of all runs so far. */
  get tokensPerSecond(): number {
    return this.#tokens / this.#seconds;
  }

  async close(): Promise<void> {
    await this.#runner.close();
  }

  async #run(ids: readonly number[]): Promise<Float32Array> {
    const { length } = ids;
    const [first, total] = [this.#position, this.#position + length];
    const runner = this.#runner;
    const start = performance.now();
    const outputs = await runner.run({
      input_ids: runner.integers(ids, [1, length]),
      attention_mask: runner.integers(Array<number>(total).fill(1), [1, total]),
      position_ids: runner.integers(
        ids.map((_, i) => first + i),
        [1, length],
      ),
      num_logits_to_keep: runner.integers([0], [1]),
      ...this.#past,
    });
    this.#seconds += (performance.now() - start) / 1000;
    this.#tokens += length;
    this.#position = total;
    this.#past = Object.fromEntries(
      this.#caches.map(({ name }) => [name, outputs[name.replace('past_key_values', 'present')]!]),
    );
    return runner.floats(outputs.logits!);
  }
}

/** Of a sequence that is yet to begin, in a batch of one. */
function emptySize(dimension: Dimension): number {
  if (typeof dimension === 'number') return dimension;
  return dimension === 'batch_size' ? 1 : 0;
}
