/** What gives the figures of a mark. */
export interface Source {
  /**
   * The figures in the units of the document, in the order in which it states them. `stated` are those that
   * it states, for sources that only look whether they have them.
   * @throws where the arguments name nothing that it has.
   */
  readonly measure: (
    args: readonly string[],
    stated: readonly string[],
  ) => readonly number[] | Promise<readonly number[]>;
  /**
   * Share of a figure by which it may be off beyond the rounding of its last digit: what does not depend on
   * the machine is exact, 0. At most `MAX_TOLERANCE`, or a figure that is off by a tenth would pass.
   */
  readonly tolerance: number;
  /**
   * Of a source that takes seconds or minutes, which tests leave to `npm run claims`: how many figures it
   * gives.
   */
  readonly slow?: number;
}

export const MAX_TOLERANCE = 0.05;

export function exact(measure: Source['measure']): Source {
  return { measure, tolerance: 0 };
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
