import { BundleError } from './bundle-error.ts';
import type { SelfTest } from './manifest.ts';

export interface SelfTestResult {
  /** Prefixes whose likeliest token was held to the bundle's. */
  readonly tokens: number;
  /** Furthest that a logit was off, and how far it may be. */
  readonly largestError: number;
  readonly tolerance: number;
}

/**
 * Holds the logits after each token of the test's prompt to what an intact model gives. Throws `BundleError`
 * `wrong-results`: a faulty driver should say so, not write nonsense.
 */
export async function runSelfTest(
  test: SelfTest,
  logits: (ids: readonly number[]) => Promise<readonly Float32Array[]>,
): Promise<SelfTestResult> {
  const rows = await logits(test.prompt);
  let tokens = 0;
  for (const [index, expected] of test.likeliest.entries()) {
    if (test.close.includes(index)) continue;
    const got = likeliest(rows[index]!);
    if (got !== expected)
      throw wrong(`after ${index + 1} tokens it finds token ${got}, not ${expected}, likeliest`);
    tokens++;
  }
  const { ids, values, rms, tolerance } = test.logits;
  const last = rows.at(-1)!;
  const errors = ids.map((id, i) => Math.abs(last[id]! - values[i]!));
  const largestError = Math.max(Math.abs(rootMeanSquare(last) - rms), ...errors);
  // Also for NaN.
  if (!(largestError <= tolerance))
    throw wrong(`its logits are off by ${largestError}, ${tolerance} is allowed`);
  return { tokens, largestError, tolerance };
}

function likeliest(row: Float32Array): number {
  return row.reduce((best, value, id) => (value > row[best]! ? id : best), 0);
}

function rootMeanSquare(row: Float32Array): number {
  return Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / row.length);
}

function wrong(what: string): BundleError {
  return new BundleError('wrong-results', `this device does not compute the model as it should: ${what}`);
}
