import { power } from './elementary/power.ts';

/**
 * Angles per position, in radians: pair i of `dim` / 2 turns by theta^(-2i/dim) (RoFormer, arXiv 2104.09864,
 * section 3.2.2).
 */
export function ropeFrequencies(theta: number, dim: number): Float64Array {
  return Float64Array.from({ length: dim / 2 }, (_, i) => power(theta, (-2 * i) / dim));
}
