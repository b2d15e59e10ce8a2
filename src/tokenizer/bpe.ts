import { BYTE_CHARACTERS } from '../core/tokenizer/byte-alphabet.ts';
import { MergeQueue } from './merge-queue.ts';
import { MergeTable, NO_MERGE } from './merge-table.ts';

/**
 * Byte-pair encoding (Sennrich et al., arXiv 1508.07909) over bytes: starts from one symbol a byte and
 * applies the merge of the lowest rank, leftmost first, until none is left. O(n log n) for n bytes.
 */
export class Bpe {
  readonly #merges: MergeTable;
  readonly #byteIds: Int32Array;
  /** Empty between calls. */
  readonly #queue = new MergeQueue();

  /** `ids` holds every byte of the alphabet, and parts and results of all `merges`. */
  constructor(merges: readonly string[], ids: ReadonlyMap<string, number>) {
    this.#merges = new MergeTable(merges, ids);
    this.#byteIds = Int32Array.from(BYTE_CHARACTERS, (character) => ids.get(character)!);
  }

  /** Appends the tokens of one piece of text, given as UTF-8, to `ids`. */
  encode(piece: Uint8Array, ids: number[]): void {
    const { length } = piece;
    const merges = this.#merges;
    const queue = this.#queue;
    // A doubly linked list: a symbol stands at the place of its first byte.
    const symbols = new Int32Array(length);
    const next = new Int32Array(length);
    const previous = new Int32Array(length);
    // Rank of merging each symbol with its next. Entries of the queue that say otherwise are out of date.
    const ranks = new Int32Array(length);
    for (let i = 0; i < length; i++) {
      symbols[i] = this.#byteIds[piece[i]!]!;
      next[i] = i + 1;
      previous[i] = i - 1;
    }

    const propose = (left: number) => {
      const right = next[left]!;
      const rank = right < length ? merges.rank(symbols[left]!, symbols[right]!) : NO_MERGE;
      ranks[left] = rank;
      if (rank !== NO_MERGE) queue.push(rank, left);
    };
    for (let i = 0; i < length; i++) propose(i);
    while (queue.pop()) {
      const { rank, position: left } = queue;
      if (ranks[left] !== rank) continue;
      const right = next[left]!;
      const after = next[right]!;
      symbols[left] = merges.results[rank]!;
      ranks[right] = NO_MERGE;
      next[left] = after;
      if (after < length) previous[after] = left;
      propose(left);
      if (left > 0) propose(previous[left]!);
    }
    for (let i = 0; i < length; i = next[i]!) ids.push(symbols[i]!);
  }
}
