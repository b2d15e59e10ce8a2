import { type Extent, equal, nameOf, namesIn, Polynomial, substitute } from './extent.ts';

/** No dimension of a graph may have a name that begins so. */
const UNKNOWN = '?';

/**
 * What is known of the named sizes of one graph. Names stand for independent sizes, with one exception: a
 * name may turn out to be the sum of others, as the positions that a mask covers are those of the cache and
 * the new ones.
 */
export class Sizes {
  readonly #sums = new Map<string, Extent>();
  #unknowns = 0;

  /** A size of which nothing is known: it agrees with every other. */
  unknown(): Extent {
    this.#unknowns++;
    return new Polynomial(new Map([[`${UNKNOWN}${this.#unknowns}`, 1]]));
  }

  /** The extent in terms of independent sizes. */
  resolve(extent: Extent): Extent {
    let resolved = extent;
    for (const [name, sum] of this.#sums) resolved = substitute(resolved, name, sum);
    return resolved;
  }

  /** What both are if they are the same for all sizes, undefined otherwise. */
  agree(a: Extent, b: Extent): Extent | undefined {
    const [left, right] = [this.resolve(a), this.resolve(b)];
    if (equal(left, right) || isUnknown(right)) return left;
    if (isUnknown(left)) return right;
    return this.#define(left, right) ?? this.#define(right, left);
  }

  /** Whether a name turned out to be a sum. */
  defines(name: string): boolean {
    return this.#sums.has(name);
  }

  /** Whether there is a name for the extent: no sum has two. */
  hasName(extent: Extent): boolean {
    return nameOf(extent) !== undefined || [...this.#sums.values()].some((sum) => equal(sum, extent));
  }

  #define(single: Extent, sum: Extent): Extent | undefined {
    const name = nameOf(single);
    if (name === undefined || typeof sum === 'number' || sum.terms.size < 2) return undefined;
    const parts = namesIn(sum);
    if (parts.length !== sum.terms.size || parts.includes(name)) return undefined;
    if ([...sum.terms.values()].some((factor) => factor !== 1) || this.hasName(sum)) return undefined;
    for (const [other, value] of this.#sums) this.#sums.set(other, substitute(value, name, sum));
    this.#sums.set(name, sum);
    return sum;
  }
}

/** Whether the extent hangs on a size of which nothing is known. */
export function isUnknown(extent: Extent): boolean {
  return namesIn(extent).some((name) => name.startsWith(UNKNOWN));
}
