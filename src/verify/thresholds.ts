import type { Fault } from '../core/errors.ts';
import { bitsPerWeight } from '../core/scheme.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Comparison } from './metrics.ts';
import { schemeLimits } from './scheme-limits.ts';
import type { TensorError } from './tensor-pair.ts';

/** The most mean KLD to expect of an artifact that stores these tensors: the limit of its coarsest matrices. */
export function defaultMaxKld(tensors: ReadonlyMap<string, Tensor>): number {
  const schemes = [...tensors.values()]
    .filter((tensor) => tensor.shape.length > 1)
    .map((tensor) => tensor.scheme);
  const coarsest = schemes.reduce((a, b) => (bitsPerWeight(b) < bitsPerWeight(a) ? b : a));
  return schemeLimits(coarsest).meanKld;
}

/** Why a comparison does not pass, if so. */
export function comparisonFault(comparison: Comparison, maxKld: number): Fault | undefined {
  const { mean } = comparison.kld;
  return exceeds(mean, maxKld) ? { what: 'mean KLD', ...figures(mean, maxKld) } : undefined;
}

/** Codes of a group all lie on its grid, which reaches less than twice as far as its weights. */
const WEIGHED_ROW = 2;

/**
 * Why a tensor does not pass, if so. One that holds the reference's own blocks must show no error at all. `weighed`:
 * rounding was weighed by importances, so that the grid of a group may leave out what is unimportant.
 */
export function tensorFault(error: TensorError, weighed = false): Fault | undefined {
  const { name, scheme, exact, notFinite, rms, rmsError, worstRow } = error;
  if (notFinite > 0)
    return { field: name, what: 'weights that are not finite', got: notFinite, expected: '0' };
  const limits = schemeLimits(scheme);
  const relative = rmsError === 0 ? 0 : rmsError / Math.max(rms, limits.floor);
  const [maxRms, maxRow] = exact ? [0, 0] : [limits.rms, weighed ? WEIGHED_ROW : limits.row];
  if (exceeds(relative, maxRms)) {
    return { field: name, what: `relative RMS error of ${scheme}`, ...figures(relative, maxRms) };
  }
  if (exceeds(worstRow.error, maxRow)) {
    const what = `largest error of ${scheme} in row ${worstRow.row}, relative to its largest weight`;
    return { field: name, what, ...figures(worstRow.error, maxRow) };
  }
  return undefined;
}

/** True for NaN too. */
function exceeds(value: number, limit: number): boolean {
  return !(value <= limit);
}

function figures(value: number, limit: number): Pick<Fault, 'got' | 'expected'> {
  return { got: Number(value.toPrecision(4)), expected: `at most ${limit.toPrecision(3)}` };
}
