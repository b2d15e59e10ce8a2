import { exp } from '../../core/elementary/exp.ts';
import { invalidInput, usage } from '../../core/errors.ts';
import { descending } from './descending.ts';
import { Xoshiro128 } from './random.ts';

/** Choices in the terms of generation_config.json. Left out: no restriction. */
export interface SamplerOptions {
  /** 0: always the likeliest token. Default 1. */
  readonly temperature?: number;
  /** The k likeliest tokens. 0: no restriction. */
  readonly topK?: number;
  /** The fewest likeliest tokens that hold this share of the probability (arXiv 1904.09751). */
  readonly topP?: number;
  /** Tokens at least this times as likely as the likeliest (arXiv 2407.01082). */
  readonly minP?: number;
  /** Divides positive and multiplies negative logits of tokens seen before (CTRL, arXiv 1909.05858). */
  readonly repetitionPenalty?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Picks the next token: repetition penalty, temperature, top-k, top-p, min-p, in the order of Hugging Face
 * transformers. The same options and logits give the same tokens on every machine.
 */
export class Sampler {
  readonly #options: Required<Omit<SamplerOptions, 'seed'>>;
  readonly #random: Xoshiro128;

  /** Throws `usage` for options out of range. */
  constructor(options: SamplerOptions) {
    const { temperature = 1, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1, seed = 0 } = options;
    demand(temperature >= 0 && temperature < Infinity, 'temperature', temperature, 'at least 0');
    demand(Number.isInteger(topK) && topK >= 0, 'top-k', topK, 'an integer of at least 0');
    demand(topP >= 0 && topP <= 1, 'top-p', topP, '0 to 1');
    demand(minP >= 0 && minP <= 1, 'min-p', minP, '0 to 1');
    demand(
      repetitionPenalty > 0 && repetitionPenalty < Infinity,
      'repetition penalty',
      repetitionPenalty,
      'above 0',
    );
    demand(Number.isSafeInteger(seed), 'seed', seed, 'an integer');
    this.#options = { temperature, topK, topP, minP, repetitionPenalty };
    this.#random = Xoshiro128.seeded(seed);
  }

  /**
   * Picks one of the tokens that `logits` covers; `seen` are the tokens of prompt and text so far. Throws
   * `invalid-input` for logits that are NaN or infinite, as broken weights give.
   */
  pick(logits: Float32Array, seen: ReadonlySet<number>): number {
    const scores = this.#penalize(logits, seen);
    const likeliest = argmax(scores);
    if (this.#options.temperature === 0) return likeliest;
    return this.#draw(this.#candidates(scores, scores[likeliest]!));
  }

  #penalize(logits: Float32Array, seen: ReadonlySet<number>): Float64Array {
    const scores = Float64Array.from(logits);
    const penalty = this.#options.repetitionPenalty;
    if (penalty !== 1) {
      for (const id of seen) {
        const score = scores[id];
        if (score !== undefined) scores[id] = score > 0 ? score / penalty : score * penalty;
      }
    }
    return scores;
  }

  /** The tokens left to draw from, likeliest first: every restriction keeps a prefix of that order. */
  #candidates(scores: Float64Array, largest: number): Candidate[] {
    const { temperature, topK, topP, minP } = this.#options;
    const weights = scores.map((score) => exp((score - largest) / temperature));
    const ranked = topK === 0 ? descending(weights) : [...descending(weights, topK)];
    const total = topK === 0 ? sum(weights) : sum(Array.from(ranked, (id) => weights[id]!));
    const candidates: Candidate[] = [];
    let before = 0;
    for (const id of ranked) {
      const weight = weights[id]!;
      if (candidates.length > 0 && (before >= topP * total || weight < minP)) break;
      candidates.push({ id, weight });
      before += weight;
    }
    return candidates;
  }

  #draw(candidates: readonly Candidate[]): number {
    let left = this.#random.nextFloat() * sum(candidates.map(({ weight }) => weight));
    const drawn = candidates.find(({ weight }) => {
      left -= weight;
      return left < 0;
    });
    // Rounding may leave a trace of probability behind the last candidate.
    return (drawn ?? candidates.at(-1)!).id;
  }
}

interface Candidate {
  readonly id: number;
  /** Probability in units of the likeliest token's. */
  readonly weight: number;
}

function sum(values: Float64Array | readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** Index of the largest value, the first of equals. Throws `invalid-input` for NaN and infinity. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!(value < Infinity))
      throw invalidInput({ what: `logit of token ${i}`, got: String(value), expected: 'a number' });
    if (value > values[best]!) best = i;
  }
  return best;
}

function demand(holds: boolean, what: string, got: number, expected: string): void {
  if (!holds) throw usage(`${what} ${got}`, expected);
}
