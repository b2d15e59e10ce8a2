/**
 * xoshiro128** 1.1 (Blackman and Vigna, arXiv 1805.01407), seeded by SplitMix64 as its authors advise: the
 * same numbers for a seed on every machine.
 */
export class Xoshiro128 {
  readonly #state: Uint32Array;

  /** `state` is four words, not all zero. */
  constructor(state: Uint32Array) {
    this.#state = state.slice();
  }

  /** `seed` counts modulo 2^64. */
  static seeded(seed: number | bigint): Xoshiro128 {
    const words = new Uint32Array(4);
    let counter = BigInt(seed);
    for (let i = 0; i < 4; i += 2) {
      counter = BigInt.asUintN(64, counter + 0x9e3779b97f4a7c15n);
      const mixed = mix64(counter);
      words[i] = Number(mixed & 0xffffffffn);
      words[i + 1] = Number(mixed >> 32n);
    }
    return new Xoshiro128(words);
  }

  /** 32 uniform bits. */
  nextUint32(): number {
    const s = this.#state;
    const result = Math.imul(rotateLeft(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const shifted = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= shifted;
    s[3] = rotateLeft(s[3]!, 11);
    return result;
  }

  /** Uniform in [0, 1), a multiple of 2^-53. */
  nextFloat(): number {
    const high = this.nextUint32() >>> 5;
    const low = this.nextUint32() >>> 6;
    return (high * 2 ** 26 + low) * 2 ** -53;
  }
}

function rotateLeft(word: number, count: number): number {
  return (word << count) | (word >>> (32 - count));
}

/** The output function of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
function mix64(counter: bigint): bigint {
  let z = counter;
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return z ^ (z >> 31n);
}
