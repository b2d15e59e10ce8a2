import { exp } from '../core/elementary/exp.ts';
import { log } from '../core/elementary/log.ts';

/**
 * The likeliest token of a row, the first of several, and its probability; NaN if the row is not finite.
 */
export interface Guess {
  readonly id: number;
  readonly probability: number;
}

/** The difference of one row of logits from that of the reference. Not finite if a row is not. */
export interface RowMetrics {
  /** KL(reference || artifact) of the next-token distributions, in nats. */
  readonly kld: number;
  /** Whether both have the same likeliest token. */
  readonly agrees: boolean;
  readonly guess: { readonly reference: Guess; readonly artifact: Guess };
  readonly maxAbsError: number;
  /** -log p of the token that follows, in nats; undefined where it is not known. */
  readonly nll: { readonly reference: number; readonly artifact: number } | undefined;
}

/** Compares two rows of f32 logits in f64. Padding rows take part in both distributions. */
export function compareRows(
  reference: Float32Array,
  artifact: Float32Array,
  following: number | undefined,
): RowMetrics {
  const [a, b] = [logSoftmax(reference), logSoftmax(artifact)];
  let kld = 0;
  let maxAbsError = 0;
  for (let id = 0; id < reference.length; id++) {
    const error = Math.abs(reference[id]! - artifact[id]!);
    // Math.max keeps a NaN.
    maxAbsError = Math.max(maxAbsError, error);
    kld += exp(reference[id]! - a.logSum) * (reference[id]! - a.logSum - (artifact[id]! - b.logSum));
  }
  return {
    // Rounding can leave -1e-17 where the rows are all but equal.
    kld: finite(Math.max(0, kld)),
    agrees: a.guess.id === b.guess.id,
    guess: { reference: a.guess, artifact: b.guess },
    maxAbsError: finite(maxAbsError),
    nll:
      following === undefined
        ? undefined
        : {
            reference: finite(a.logSum - reference[following]!),
            artifact: finite(b.logSum - artifact[following]!),
          },
  };
}

/** What turns logits into log-probabilities, and the first of the likeliest tokens. */
function logSoftmax(logits: Float32Array): { readonly logSum: number; readonly guess: Guess } {
  let likeliest = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[likeliest]!) likeliest = id;
  const largest = logits[likeliest]!;
  let sum = 0;
  for (let id = 0; id < logits.length; id++) sum += exp(logits[id]! - largest);
  return { logSum: largest + log(sum), guess: { id: likeliest, probability: 1 / sum } };
}

/** NaN is worse than any number, but compares with none: it must never pass a limit. */
function finite(value: number): number {
  return Number.isNaN(value) ? Infinity : value;
}

/** Figures over all positions, as `verify --json` prints them. Infinite where logits are not numbers. */
export interface Comparison {
  /** Positions compared. */
  readonly tokens: number;
  /** KL(reference || artifact), in nats. */
  readonly kld: {
    readonly mean: number;
    readonly median: number;
    readonly p99: number;
    readonly max: number;
  };
  /** Share of positions where both have the same likeliest token. */
  readonly top1: number;
  readonly ppl: { readonly reference: number; readonly artifact: number };
  /** Largest difference of two logits. */
  readonly maxAbsError: number;
  /**
   * Share of the FFN's neurons that fire, by layer; left out if not requested, or if neither engine reports
   * it.
   */
  readonly firing?: { readonly reference?: readonly number[]; readonly artifact?: readonly number[] };
}

/** Sums up a comparison of one or more positions, at least one of which has a known next token. */
export function summarize(rows: readonly RowMetrics[]): Comparison {
  const klds = Float64Array.from(rows, (row) => row.kld).sort();
  const known = rows.flatMap((row) => row.nll ?? []);
  return {
    tokens: rows.length,
    kld: {
      mean: mean(klds),
      median: quantile(klds, 0.5),
      p99: quantile(klds, 0.99),
      max: klds.at(-1)!,
    },
    top1: rows.filter((row) => row.agrees).length / rows.length,
    ppl: {
      reference: exp(mean(known.map((nll) => nll.reference))),
      artifact: exp(mean(known.map((nll) => nll.artifact))),
    },
    maxAbsError: rows.reduce((max, row) => Math.max(max, row.maxAbsError), 0),
  };
}

function mean(values: Float64Array | readonly number[]): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

/** Linear between the two nearest order statistics. */
function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!];
  return low === high ? low : low + (high - low) * (at - Math.floor(at));
}
