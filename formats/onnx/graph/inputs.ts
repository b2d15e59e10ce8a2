import { ELEMENT_TYPES } from '../../../src/onnx/graph.ts';
import { type FloatType, type GraphBuilder, int, ints } from './builder.ts';

/** Names that transformers.js and onnxruntime-genai give and take. */
export const BATCH = 'batch_size';
export const SEQUENCE = 'sequence_length';
export const PAST = 'past_sequence_length';
export const TOTAL = 'total_sequence_length';

/**
 * The values from the inputs that all layers share. Sequences are batched, padded on the left, and continue
 * after the tokens in their caches.
 */
export class GraphInputs {
  readonly #graph: GraphBuilder;
  /** int64 `[batch, sequence]`. */
  readonly ids: string;
  /** int64 `[batch, sequence]`. */
  readonly positions: string;
  /** int64 `[batch, past + sequence]`: 0 where a key is padding. */
  readonly mask: string;
  /**
   * int64: how many of the last positions get logits, 0 for all. Of any rank, for transformers.js gives a
   * scalar and onnxruntime-genai a list of one.
   */
  readonly logitsToKeep: string;
  readonly #sizes = new Map<string, string>();

  constructor(graph: GraphBuilder) {
    this.#graph = graph;
    this.ids = graph.input('input_ids', 'int64', [BATCH, SEQUENCE]);
    this.mask = graph.input('attention_mask', 'int64', [BATCH, TOTAL]);
    this.positions = graph.input('position_ids', 'int64', [BATCH, SEQUENCE]);
    this.logitsToKeep = graph.input('num_logits_to_keep', 'int64', undefined);
  }

  /**
   * A shape for `Reshape`, made once for all layers: sizes of the batch, of the sequence, of all keys,
   * numbers.
   */
  shape(...sizes: (typeof BATCH | typeof SEQUENCE | typeof TOTAL | number)[]): string {
    if (sizes.every((size) => typeof size === 'number')) return this.#graph.integers(sizes);
    const name = `shape [${sizes.join(', ')}]`;
    return this.#once(name, () => {
      const parts = sizes.map((size) =>
        typeof size === 'number' ? this.#graph.integers([size]) : this.size(size),
      );
      return this.#graph.add('Concat', name, parts, { attributes: { axis: int(0) } });
    });
  }

  /** A size as a list of one. */
  size(of: typeof BATCH | typeof SEQUENCE | typeof TOTAL): string {
    const [source, axis] = of === BATCH ? [this.ids, 0] : of === SEQUENCE ? [this.ids, 1] : [this.mask, 1];
    return this.#once(of, () =>
      this.#graph.add('Shape', of, [source], { attributes: { start: int(axis), end: int(axis + 1) } }),
    );
  }

  /**
   * The mask added to scores, `[batch, 1, sequence, total]`: 0 where a query sees a key, else so low that the
   * key has no weight.
   */
  scoreBias(type: FloatType): string {
    const graph = this.#graph;
    const at = (name: string) => `mask/${name}`;
    const scalar = (of: typeof SEQUENCE | typeof TOTAL) =>
      graph.add('Squeeze', at(`${of}_scalar`), [this.size(of), graph.integers([0])]);
    const [zero, one] = [graph.integers(0), graph.integers(1)];
    const [sequence, total] = [scalar(SEQUENCE), scalar(TOTAL)];
    const past = graph.add('Sub', at('past'), [total, sequence]);
    const keys = graph.add('Range', at('keys'), [zero, total, one]);
    const queries = graph.add('Range', at('queries'), [past, total, one]);
    const column = graph.add('Unsqueeze', at('query_column'), [queries, graph.integers([1])]);
    const causal = graph.add('LessOrEqual', at('causal'), [keys, column]);
    const kept = graph.add('Cast', at('kept'), [this.mask], {
      attributes: { to: int(ELEMENT_TYPES.bool.code) },
    });
    const keptKeys = graph.add('Unsqueeze', at('kept_keys'), [kept, graph.integers([1, 2])]);
    const visible = graph.add('And', at('visible'), [causal, keptKeys]);
    return graph.add('Where', at('bias'), [visible, graph.scalar(type, 0), graph.scalar(type, LOWEST[type])]);
  }

  #once(name: string, make: () => string): string {
    const made = this.#sizes.get(name) ?? make();
    this.#sizes.set(name, made);
    return made;
  }
}

/**
 * Low enough that its exponential is 0 beside any other, and so far from the end of the type that a score
 * added to it stays finite: a row of nothing but padding must have no NaN.
 */
const LOWEST: Readonly<Record<FloatType, number>> = { float: -1e30, float16: -3e4 };

/** `[batch, sequence, heads, width]` to `[batch, heads, sequence, width]` and back. */
export const SWAP_HEADS = { perm: ints([0, 2, 1, 3]) };
