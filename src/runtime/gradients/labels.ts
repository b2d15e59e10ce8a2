import { Xoshiro128 } from '../sampling/random.ts';

/**
 * Chooses the token whose negative log-likelihood is the loss of a position. If a model draws it from its own
 * distribution, the expected squares of gradients are the diagonal of the Fisher information: half of it times
 * the squares of small, independent changes is the KLD that they cause.
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
