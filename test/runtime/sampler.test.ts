import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { descending } from '../../src/runtime/sampling/descending.ts';
import { argmax, Sampler, type SamplerOptions } from '../../src/runtime/sampling/sampler.ts';
import { pressFailure } from '../support/press-failure.ts';

const NONE: ReadonlySet<number> = new Set();

/** Logits of these probabilities. */
function logits(...probabilities: number[]): Float32Array {
  return Float32Array.from(probabilities, Math.log);
}

function draw(options: SamplerOptions, row: Float32Array, count: number, seen = NONE): number[] {
  const sampler = new Sampler(options);
  return Array.from({ length: count }, () => sampler.pick(row, seen));
}

/** Which tokens the options let through, given time enough to see them all. */
function reachable(options: SamplerOptions, row: Float32Array, seen = NONE): number[] {
  return [...new Set(draw(options, row, 2000, seen))].sort((a, b) => a - b);
}

const ROW = logits(0.05, 0.4, 0.1, 0.3, 0.15);

describe('which tokens can be drawn', () => {
  const CASES: readonly (readonly [string, SamplerOptions, number[]])[] = [
    ['no restriction: all', {}, [0, 1, 2, 3, 4]],
    ['temperature 0: the likeliest', { temperature: 0 }, [1]],
    ['temperature 0 before all else', { temperature: 0, topK: 3, topP: 0.9 }, [1]],
    ['temperature near 0: the likeliest', { temperature: 1e-300 }, [1]],
    ['top-k 1', { topK: 1 }, [1]],
    ['top-k 3', { topK: 3 }, [1, 3, 4]],
    ['top-k beyond the vocabulary', { topK: 9 }, [0, 1, 2, 3, 4]],
    ['top-p 0: still one', { topP: 0 }, [1]],
    ['top-p 0.5: 0.4 is too little, 0.4 + 0.3 is enough', { topP: 0.5 }, [1, 3]],
    ['top-p 0.3995: 0.4 is enough', { topP: 0.3995 }, [1]],
    ['top-p 0.4005: 0.4 is too little', { topP: 0.4005 }, [1, 3]],
    ['top-p 0.8: 0.4 + 0.3 + 0.15', { topP: 0.8 }, [1, 3, 4]],
    ['min-p 0.3: at least 0.12', { minP: 0.3 }, [1, 3, 4]],
    ['min-p 1: the likeliest', { minP: 1 }, [1]],
    ['top-p counts what top-k left: 0.4 of 0.7 is not 0.6', { topK: 2, topP: 0.6 }, [1, 3]],
    ['top-p counts what top-k left: 0.4 of 0.7 is 0.55', { topK: 2, topP: 0.55 }, [1]],
    ['temperature comes before top-p: 0.4^2 of 0.285 is 0.56', { temperature: 0.5, topP: 0.55 }, [1]],
    [
      'temperature comes before min-p: 0.1 becomes 1/16 of the likeliest',
      { temperature: 0.5, minP: 0.1 },
      [1, 3, 4],
    ],
  ];
  for (const [name, options, expected] of CASES) {
    it(name, () => assert.deepEqual(reachable(options, ROW), expected));
  }
});

describe('repetition penalty', () => {
  const row = Float32Array.of(2, 1.5, -1, -1.5);
  const CASES: readonly (readonly [string, number, number[], number])[] = [
    ['1 changes nothing', 1, [0], 0],
    ['a positive logit is divided: 2 / 1.5 < 1.5', 1.5, [0], 1],
    ['a negative logit is multiplied, so that it falls too', 100, [0, 1, 2], 0],
    ['unseen tokens stay', 1.5, [1], 0],
    ['seen padding rows do not matter', 1.5, [99], 0],
  ];
  for (const [name, repetitionPenalty, seen, expected] of CASES) {
    it(name, () => {
      assert.deepEqual(draw({ temperature: 0, repetitionPenalty }, row, 1, new Set(seen)), [expected]);
    });
  }
  it('of two negative logits the unseen one wins', () => {
    const options = { temperature: 0, repetitionPenalty: 2 };
    assert.deepEqual(draw(options, Float32Array.of(-1, -1.5), 1, new Set([0])), [1]);
  });
});

describe('drawing', () => {
  it('follows the probabilities', () => {
    const counts = new Uint32Array(5);
    for (const id of draw({ seed: 7 }, ROW, 20_000)) counts[id]!++;
    for (const [id, expected] of [0.05, 0.4, 0.1, 0.3, 0.15].entries()) {
      // Five standard deviations of a share of 20,000 draws are at most 0.018.
      assert.ok(Math.abs(counts[id]! / 20_000 - expected) < 0.018, `token ${id}: ${counts[id]}`);
    }
  });

  it('gives the same tokens for a seed on every machine, others for another seed', () => {
    const tokens = draw({ seed: 42 }, ROW, 16);
    assert.deepEqual(tokens, [3, 1, 3, 3, 4, 4, 4, 1, 3, 3, 1, 1, 2, 3, 3, 2]);
    assert.notDeepEqual(draw({ seed: 43 }, ROW, 16), tokens);
  });

  it('takes the lowest id of equals', () => {
    assert.equal(argmax([1, 3, 3, 2]), 1);
    assert.deepEqual(draw({ topK: 1 }, Float32Array.of(0, 5, 5), 3), [1, 1, 1]);
  });

  it('never picks what is impossible', () => {
    assert.deepEqual(reachable({}, Float32Array.of(-Infinity, 0, -Infinity, 0)), [1, 3]);
  });
});

describe('what is refused', () => {
  const CASES: readonly SamplerOptions[] = [
    { temperature: -1 },
    { temperature: Number.NaN },
    { temperature: Infinity },
    { topK: -1 },
    { topK: 1.5 },
    { topP: 1.1 },
    { minP: -0.1 },
    { repetitionPenalty: 0 },
    { seed: 0.5 },
  ];
  for (const options of CASES) {
    const [[name, value]] = Object.entries(options) as [[string, number]];
    it(`${name} ${value}`, () =>
      assert.throws(() => new Sampler(options), pressFailure('usage', /expected/)));
  }
  for (const broken of [Number.NaN, Infinity]) {
    it(`a logit of ${broken}`, () => {
      const pick = () => draw({}, Float32Array.of(0, broken), 1);
      assert.throws(pick, pressFailure('invalid-input', /logit of token 1/));
    });
  }
});

describe('descending', () => {
  it('is a sort by score, ties by index', () => {
    const score = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.double({ noNaN: true }));
    fc.assert(
      fc.property(fc.array(score, { maxLength: 50 }), fc.nat(60), (scores, limit) => {
        const sorted = [...scores.keys()].sort((a, b) =>
          scores[a]! < scores[b]! ? 1 : scores[a]! > scores[b]! ? -1 : a - b,
        );
        assert.deepEqual([...descending(Float64Array.from(scores))], sorted);
        assert.deepEqual([...descending(Float64Array.from(scores), limit)], sorted.slice(0, limit));
      }),
      { seed: 1 },
    );
  });
});
