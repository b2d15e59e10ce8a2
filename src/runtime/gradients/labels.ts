import { Xoshiro128 } from '../sampling/random.ts';

/**
 * The token whose likelihood the loss of a position is, by the probabilities of all of them. The expected
 * squares of gradients by labels that a model draws from its own distribution are the Fisher information: half
 * of them times the square of a small change is the divergence that it causes.
 */
export type Labels = (probabilities: Float32Array) => number;

/** Draws one position after the other: the same labels for a seed on every machine. */
export function drawnLabels(seed: number): Labels {
  const random = Xoshiro128.seeded(seed);
  return (probabilities) => {
    let rest = random.nextFloat();
    let last = 0;
    for (const [token, probability] of probabilities.entries()) {
      if (probability === 0) continue;
      last = token;
      rest -= probability;
      if (rest < 0) break;
    }
    return last;
  };
}
