import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Choice,
  type Choices,
  chooseSchemes,
  totalOf,
} from '../../../src/pipeline/allocation/choose.ts';
import { uniform } from '../../support/builders/samples.ts';

const SCHEMES = ['Q2_K', 'Q3_K', 'Q4_K', 'Q5_K', 'Q8_0'] as const;

/** Tensors of random sizes whose costs fall with their bytes, some out of line. */
function randomChoices(seed: number, tensors: number): Choices {
  const next = uniform(seed);
  return new Map(
    Array.from({ length: tensors }, (_, index) => {
      const [weights, cost] = [1 + Math.floor(40 * next()), next() ** 3];
      const options = SCHEMES.map((scheme, i): Choice => {
        const bytes = weights * [10, 14, 18, 22, 34][i]!;
        return { scheme, bytes, cost: cost * 4 ** -i * (0.5 + next()) };
      });
      return [`tensor ${index}`, options] as const;
    }),
  );
}

/** The least cost that any choice has, by trying all. */
function leastCost(choices: Choices, budget: number): number {
  let best = Number.POSITIVE_INFINITY;
  const options = [...choices.values()];
  const go = (at: number, left: number, cost: number) => {
    if (left < 0 || cost >= best) return;
    if (at === options.length) best = cost;
    else for (const choice of options[at]!) go(at + 1, left - choice.bytes, cost + choice.cost);
  };
  go(0, budget, 0);
  return best;
}

const smallest = (choices: Choices) =>
  [...choices.values()].reduce((sum, options) => sum + Math.min(...options.map(({ bytes }) => bytes)), 0);

describe('schemes of a budget', () => {
  it('fit, and cost what the best of all choices costs', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const choices = randomChoices(seed, 7);
      const least = smallest(choices);
      for (const factor of [1, 1.2, 1.7, 2.3, 4]) {
        const chosen = chooseSchemes(choices, factor * least)!;
        assert.ok(totalOf(chosen, 'bytes') <= factor * least);
        const [cost, best] = [totalOf(chosen, 'cost'), leastCost(choices, factor * least)];
        assert.ok(cost <= best * (1 + 1e-12), `seed ${seed}, ${factor}: ${cost}, the best is ${best}`);
      }
    }
  });

  it('take room that counting in parts has left over', () => {
    const none: Choice = { scheme: 'Q2_K', bytes: 0, cost: 1 };
    const choices: Choices = new Map([
      ['small', [none, { scheme: 'Q8_0', bytes: 1, cost: 0.9 }]],
      ['large', [none, { scheme: 'Q8_0', bytes: 2 ** 16, cost: 0 }]],
    ]);
    assert.equal(totalOf(chooseSchemes(choices, 2 ** 16 + 1)!, 'bytes'), 2 ** 16 + 1);
  });

  it('are none where the smallest are too large', () => {
    const choices = randomChoices(1, 5);
    assert.equal(chooseSchemes(choices, smallest(choices) - 1), undefined);
    assert.ok(chooseSchemes(choices, smallest(choices)));
  });

  it('do not depend on the order of tensors', () => {
    const choices = randomChoices(3, 40);
    const reversed = new Map([...choices].reverse());
    const budget = 1.5 * smallest(choices);
    assert.deepEqual(
      [...chooseSchemes(choices, budget)!].toSorted(([a], [b]) => (a < b ? -1 : 1)),
      [...chooseSchemes(reversed, budget)!].toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
  });
});
