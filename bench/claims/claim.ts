import { readFileSync } from 'node:fs';
import path from 'node:path';
import { repoRoot } from '../../test/support/paths.ts';

/** Figures that a document states, and what measures them. */
export interface Claim {
  /** Relative to the repository. */
  readonly file: string;
  /** Finds one place; each group holds a figure. */
  readonly pattern: RegExp;
  /** As many figures as the pattern has groups, in the units of the document. */
  readonly measure: () => Promise<readonly number[]>;
  /**
   * Share of a figure by which it may be off beyond the rounding of its last digit: what does not depend on the machine is
   * exact, 0. At most `MAX_TOLERANCE`, or a figure that is off by a tenth would pass.
   */
  readonly tolerance: number;
}

/** A claim with what the document says. */
export interface Statement {
  readonly claim: Claim;
  /** The words around the figures. */
  readonly text: string;
  /** Figures as they are written. */
  readonly figures: readonly string[];
}

export const MAX_TOLERANCE = 0.05;

/** What the document states. Throws where it does not, or twice. */
export function stated(claim: Claim): Statement {
  const document = readFileSync(path.join(repoRoot, claim.file), 'utf8');
  const found = [...document.matchAll(new RegExp(claim.pattern, 'g'))];
  if (found.length !== 1) throw new Error(`${claim.file}: ${found.length} places match ${claim.pattern}`);
  const [text, ...figures] = found[0]!;
  return { claim, text, figures: figures.map((figure) => figure!) };
}

/** Whether a figure, as it is written, is what was measured: within its last digit and the tolerance. */
export function holds(figure: string, measured: number, tolerance: number): boolean {
  const plain = figure.replaceAll(',', '');
  const [mantissa = '', exponent = '0'] = plain.toLowerCase().split('e');
  const decimals = mantissa.split('.')[1]?.length ?? 0;
  const lastDigit = 10 ** (Number(exponent) - decimals);
  // A hair more than half a digit: figures at the border may be rounded either way.
  return Math.abs(Number(plain) - measured) <= 0.501 * lastDigit + tolerance * Math.abs(measured);
}
