/** Rank and position share a double: 21 bits and 32 bits, exact. */
const POSITIONS = 2 ** 32;

/** Binary min-heap of possible merges: lowest rank first, leftmost first where ranks are equal. */
export class MergeQueue {
  #keys = new Float64Array(64);
  #size = 0;
  /** Of the merge that `pop` removed last. */
  rank = 0;
  position = 0;

  push(rank: number, position: number): void {
    if (this.#size === this.#keys.length) this.#grow();
    const keys = this.#keys;
    const key = rank * POSITIONS + position;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (keys[parent]! <= key) break;
      keys[at] = keys[parent]!;
      at = parent;
    }
    keys[at] = key;
  }

  /** Removes the first merge into `rank` and `position`; false where there is none. */
  pop(): boolean {
    if (this.#size === 0) return false;
    const keys = this.#keys;
    const first = keys[0]!;
    this.rank = Math.floor(first / POSITIONS);
    this.position = first - this.rank * POSITIONS;
    const size = --this.#size;
    const last = keys[size]!;
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && keys[child + 1]! < keys[child]!) child++;
      if (keys[child]! >= last) break;
      keys[at] = keys[child]!;
      at = child;
    }
    keys[at] = last;
    return true;
  }

  #grow(): void {
    const keys = new Float64Array(this.#keys.length * 2);
    keys.set(this.#keys);
    this.#keys = keys;
  }
}
