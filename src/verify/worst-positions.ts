import { exp } from '../core/elementary/exp.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { Guess, RowMetrics } from './metrics.ts';

/** The prediction of one model at a position. */
export interface Prediction {
  /** The token that it holds for the likeliest, as text, and how likely. */
  readonly token: string;
  readonly probability: number;
  /** Probability of the token that follows; undefined at the end of the text. */
  readonly ofNext?: number;
}

/** A position where two models part, with its text. */
export interface PositionText {
  /** Number of the token in the text, of its window, and in that; all from 0. */
  readonly index: number;
  readonly window: number;
  readonly position: number;
  /** KL(reference || artifact), in nats. */
  readonly kld: number;
  /** The text that both have read last, up to this token. */
  readonly text: string;
  /** The token that follows; undefined at the end of the text. */
  readonly next?: string;
  readonly reference: Prediction;
  readonly artifact: Prediction;
}

/** Tokens of `PositionText.text`: a line or two. */
const TEXT_TOKENS = 24;

/**
 * The `count` positions of the largest KLD, the worst first. `rows` are those of `ids`, in windows of
 * `contextLength`.
 */
export function worstPositions(
  rows: readonly RowMetrics[],
  ids: readonly number[],
  contextLength: number,
  tokenizer: Tokenizer,
  count: number,
): PositionText[] {
  const order = [...rows.keys()].sort((a, b) => compare(rows[b]!.kld, rows[a]!.kld) || a - b);
  return order.slice(0, count).map((index) => {
    const { kld, guess, nll } = rows[index]!;
    const window = Math.floor(index / contextLength);
    const start = Math.max(window * contextLength, index + 1 - TEXT_TOKENS);
    const following = ids[index + 1];
    const prediction = ({ id, probability }: Guess, nats: number | undefined): Prediction => ({
      token: textOf(tokenizer, id),
      probability,
      ...(nats !== undefined && { ofNext: exp(-nats) }),
    });
    return {
      index,
      window,
      position: index % contextLength,
      kld,
      text: tokenizer.decode(ids.slice(start, index + 1)),
      ...(following !== undefined && { next: textOf(tokenizer, following) }),
      reference: prediction(guess.reference, nll?.reference),
      artifact: prediction(guess.artifact, nll?.artifact),
    };
  });
}

/** Infinite values are equal, and larger than all others. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/**
 * Text of a token, or its bytes where they are no whole characters; none for a padding row of the embedding.
 */
function textOf(tokenizer: Tokenizer, id: number): string {
  const text = tokenizer.decode([id]);
  if (!text.includes('\ufffd')) return text;
  const hex = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
  return Array.from(tokenizer.tokenBytes(id), hex).join('');
}
