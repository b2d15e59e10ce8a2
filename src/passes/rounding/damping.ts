import { triangleSize } from '../../core/statistics.ts';

/**
 * Adds lambda to the first `count` entries of the diagonal of a matrix of second moments, and returns it:
 * `damping` times their mean (GPTQ, arXiv 2210.17323, section 3.3).
 */
export function damp(triangle: Float64Array, count: number, damping: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += triangle[triangleSize(i) + i]!;
  // Channels that are all silent need no repair, and get none from any lambda.
  const lambda = (damping * sum) / count || 1;
  for (let i = 0; i < count; i++) triangle[triangleSize(i) + i]! += lambda;
  return lambda;
}

/** Rounding may leave nothing of what is as small as that. */
export function leastPivot(lambda: number): number {
  return 1e-12 * lambda;
}
