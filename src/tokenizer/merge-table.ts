/** Rank of pairs that do not merge. */
export const NO_MERGE = -1;

/** Looks up pairs of tokens. Sorted pairs instead of a hash table: no vocabulary can make it slow. */
export class MergeTable {
  /** Pairs in order, each as `left * tokenCount + right`. */
  readonly #pairs: Float64Array;
  /** Rank of the pair at the same place. */
  readonly #ranks: Int32Array;
  /** Token that each merge makes, by rank. */
  readonly results: Int32Array;
  readonly #tokenCount: number;

  /** `merges` in rank order, spelled `left right`; both parts and the result are keys of `ids`. */
  constructor(merges: readonly string[], ids: ReadonlyMap<string, number>) {
    this.#tokenCount = ids.size;
    this.results = new Int32Array(merges.length);
    const byRank = new Float64Array(merges.length);
    for (const [rank, merge] of merges.entries()) {
      const space = merge.indexOf(' ');
      const [left, right] = [merge.slice(0, space), merge.slice(space + 1)];
      byRank[rank] = this.#pair(ids.get(left)!, ids.get(right)!);
      this.results[rank] = ids.get(left + right)!;
    }
    this.#pairs = byRank.slice().sort();
    this.#ranks = new Int32Array(merges.length);
    for (const [rank, pair] of byRank.entries()) this.#ranks[this.#lowerBound(pair)] = rank;
  }

  /** Rank of merging `left` and `right`, or `NO_MERGE`. */
  rank(left: number, right: number): number {
    const pair = this.#pair(left, right);
    const place = this.#lowerBound(pair);
    return this.#pairs[place] === pair ? this.#ranks[place]! : NO_MERGE;
  }

  #pair(left: number, right: number): number {
    return left * this.#tokenCount + right;
  }

  /** First place whose pair is not below `pair`. */
  #lowerBound(pair: number): number {
    let low = 0;
    let high = this.#pairs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#pairs[middle]! < pair) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
