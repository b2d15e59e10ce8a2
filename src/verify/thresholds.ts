import type { Fault } from '../core/errors.ts';
import { bitsPerWeight } from '../core/scheme.ts';
import type { Tensor } from '../core/tensor.ts';
import { kldLimit } from './kld-limits.ts';
import type { Comparison } from './metrics.ts';
import { schemeLimits } from './scheme-limits.ts';
import type { FailedPlace, TensorError } from './tensor-pair.ts';

/**
 * The most mean KLD to expect of an artifact that stores these tensors: the limit of its coarsest matrices,
 * if they have one.
 */
export function defaultMaxKld(tensors: ReadonlyMap<string, Tensor>): number | undefined {
  const schemes = [...tensors.values()]
    .filter((tensor) => tensor.shape.length > 1)
    .map((tensor) => tensor.scheme);
  const coarsest = schemes.reduce((a, b) => (bitsPerWeight(b) < bitsPerWeight(a) ? b : a));
  return kldLimit(coarsest);
}

/** Why a comparison does not pass, if so. Without a limit, numbers that are not finite do not. */
export function comparisonFault({ kld: { mean } }: Comparison, maxKld?: number): Fault | undefined {
  if (maxKld !== undefined && exceeds(mean, maxKld)) return { what: 'mean KLD', ...figures(mean, maxKld) };
  return Number.isFinite(mean) ? undefined : { what: 'mean KLD', got: mean, expected: 'a number' };
}

/**
 * Why a tensor does not pass, if so, with the first place that shows it. One that holds the reference's own
 * blocks must show no error at all.
 */
export function tensorFault(error: TensorError): Fault | undefined {
  const { name, scheme, exact, notFinite, rms, rmsError, failed } = error;
  const place = failed && placeText(failed);
  if (failed?.kind === 'reference')
    return { field: name, what: `weight of the source that is not finite, in ${place}` };
  if (failed?.kind === 'not finite') {
    const what = `weights that are not finite, the first in ${place}`;
    return { field: name, what, got: notFinite, expected: '0' };
  }
  const limits = schemeLimits(scheme);
  const relative = rmsError === 0 ? 0 : rmsError / Math.max(rms, limits.floor);
  const maxRms = exact ? 0 : limits.rms;
  if (exceeds(relative, maxRms)) {
    const from = place === undefined ? '' : `, the first row beyond its limit at ${place}`;
    return { field: name, what: `relative RMS error of ${scheme}${from}`, ...figures(relative, maxRms) };
  }
  if (failed === undefined) return undefined;
  const what = `largest error of ${scheme} in ${place}, relative to the largest weight of the row`;
  return { field: name, what, ...figures(failed.error, failed.limit) };
}

function placeText({ row, column, block }: FailedPlace): string {
  return `row ${row}, block ${block} (weight [${row}, ${column}])`;
}

/** True for NaN too. */
function exceeds(value: number, limit: number): boolean {
  return !(value <= limit);
}

function figures(value: number, limit: number): Pick<Fault, 'got' | 'expected'> {
  return { got: Number(value.toPrecision(4)), expected: `at most ${limit.toPrecision(3)}` };
}
