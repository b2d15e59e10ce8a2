import type { Model } from '../../../src/core/model.ts';
import { generate } from '../../../src/pipeline/generate.ts';
import type { AttentionForm } from '../../../src/runtime/plm-runtime.ts';
import { logitsOf } from './logits.ts';

/**
 * Beginnings that plm-tiny continues without doubt: in every scheme of ONNX the token it picks leads the next
 * by 0.54 at least, at each of 12 steps.
 */
export const CLEAR_PROMPTS = [
  'Much for which we may be thankful has happened during',
  'Great Britain, and for the losses and damages',
  'Indian affairs without again recommending to your consideration the expediency',
  'Hawaii may elect its State officials and its representatives in',
];

/**
 * The most that rounding inside ONNX Runtime takes from the lead of a likeliest token over a rival, on the
 * weights of plm-tiny in each scheme; half as much again as was measured on the golden tokens, or more. f32:
 * sums in another order, 2e-5. f16: activations of 11 bits, 0.008. q8: of 8 bits per tensor, 0.22. q4 and
 * q4f16: of 8 bits per block, 0.10 on CPUs, whose blocks are of 32, and 0.19 on WebGPU, whose blocks are of
 * 128.
 */
export const LEAD_NOISE = { f32: 1e-4, f16: 0.02, q8: 0.45, q4: 0.3, q4f16: 0.3 } as const;

/** Logits within which tokens are rivals. Nothing of `LEAD_NOISE` lets another catch up. */
const RIVALRY = 1.5;

export interface Greedy {
  readonly promptIds: readonly number[];
  readonly ids: readonly number[];
  readonly text: string;
  /** The least by which the logit of a chosen token leads the next one. */
  readonly lead: number;
}

/** Continues a prompt with the reference runtime, always by the likeliest token. */
export async function greedy(
  model: Model,
  task: { readonly prompt: string; readonly tokens: number; readonly attention?: AttentionForm },
): Promise<Greedy> {
  const { prompt, tokens, attention = 'latent' } = task;
  const options = { attention, threads: 1 };
  const { promptIds, ids, text } = await generate(model, {
    ...options,
    prompt,
    maxTokens: tokens,
    sampler: { temperature: 0 },
  });
  const rows = await logitsOf(model, [...promptIds, ...ids], options);
  const leads = rows.slice(promptIds.length - 1, -1).map((row) => {
    const [first, second] = row.toSorted((a, b) => b - a);
    return first! - second!;
  });
  return { promptIds, ids, text, lead: Math.min(...leads) };
}

/** The most that the lead of a likeliest token of `expected` over one of its rivals is smaller in `rows`. */
export function lostLead(expected: readonly Float32Array[], rows: readonly Float32Array[]): number {
  const losses = expected.map((row, at) => {
    const other = rows[at]!;
    const best = row.indexOf(Math.max(...row));
    const lead = (of: Float32Array, token: number) => of[best]! - of[token]!;
    return row.reduce(
      (most, _, token) =>
        lead(row, token) > RIVALRY ? most : Math.max(most, lead(row, token) - lead(other, token)),
      0,
    );
  });
  return Math.max(...losses);
}
