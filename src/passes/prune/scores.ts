import type { NeuronStatistics } from '../../core/statistics.ts';

/**
 * What ranks the neurons of a layer; those of the lowest rank go. `firing`: how many tokens set it off.
 * `wanda`: E[h^2] |w|^2, w the neuron's column of down_proj (after Wanda, arXiv 2306.11695). `fluctuation`:
 * Var[h] |w|^2, what is lost where a bias makes up for the mean (FLAP, arXiv 2312.11983). `random`: nothing,
 * as a yardstick for the others.
 */
export const SCORES = ['firing', 'wanda', 'fluctuation', 'random'] as const;

export type Score = (typeof SCORES)[number];

/** One score per neuron. `columnSquares` are those of down_proj. */
export function scoresOf(
  score: Score,
  neurons: NeuronStatistics,
  columnSquares: Float64Array,
  seed: number,
): Float64Array {
  const { firings, means, meanSquares } = neurons;
  switch (score) {
    case 'firing':
      return Float64Array.from(firings);
    case 'wanda':
      return columnSquares.map((square, i) => meanSquares[i]! * square);
    case 'fluctuation':
      return columnSquares.map((square, i) => Math.max(0, meanSquares[i]! - means[i]! ** 2) * square);
    case 'random':
      return columnSquares.map((_, i) => hash(seed, i));
  }
}

/** Neurons from the lowest score up; of equal ones the lower index first. */
export function rankingOf(scores: Float64Array): Int32Array {
  return Int32Array.from(scores.keys()).sort((a, b) => scores[a]! - scores[b]! || a - b);
}

/** Mixes the bits of two numbers, the same everywhere (the finalizer of MurmurHash3). */
function hash(seed: number, index: number): number {
  let h = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
