import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compareRows, type RowMetrics, summarize } from '../../src/verify/metrics.ts';
import { comparisonFault } from '../../src/verify/thresholds.ts';

const { log } = Math;

function near(actual: number, expected: number): void {
  // Logits are rounded to f32, which moves a probability by 1e-7 of itself.
  assert.ok(Math.abs(actual - expected) < 1e-6, `${actual} is not ${expected}`);
}

/** Logits of these probabilities, moved by `shift`. */
function row(probabilities: readonly number[], shift = 0): Float32Array {
  return Float32Array.from(probabilities, (p) => log(p) + shift);
}

describe('one position', () => {
  const CASES: readonly {
    readonly name: string;
    readonly reference: Float32Array;
    readonly artifact: Float32Array;
    readonly kld: number;
    readonly agrees: boolean;
  }[] = [
    {
      name: 'KL(1/4, 3/4 || 1/2, 1/2)',
      reference: row([0.25, 0.75]),
      artifact: row([0.5, 0.5]),
      kld: 0.25 * log(0.5) + 0.75 * log(1.5),
      agrees: false,
    },
    {
      name: 'KL(1/2, 1/2 || 1/4, 3/4) is another number',
      reference: row([0.5, 0.5]),
      artifact: row([0.25, 0.75]),
      kld: 0.5 * log(2) + 0.5 * log(2 / 3),
      agrees: false,
    },
    {
      name: 'logits may be shifted',
      reference: row([0.2, 0.3, 0.5], 80),
      artifact: row([0.2, 0.3, 0.5], -90),
      kld: 0,
      agrees: true,
    },
    {
      name: 'three tokens, the same favourite',
      reference: row([0.1, 0.2, 0.7]),
      artifact: row([0.2, 0.2, 0.6]),
      kld: 0.1 * log(0.5) + 0.7 * log(7 / 6),
      agrees: true,
    },
  ];
  for (const { name, reference, artifact, kld, agrees } of CASES) {
    it(name, () => {
      const metrics = compareRows(reference, artifact, 0);
      near(metrics.kld, kld);
      assert.equal(metrics.agrees, agrees);
    });
  }

  it('is exactly zero for equal rows', () => {
    const logits = Float32Array.from({ length: 1000 }, (_, id) => 9 * Math.sin(id * id));
    const { kld, maxAbsError, agrees } = compareRows(logits, logits, 5);
    assert.deepEqual({ kld, maxAbsError, agrees }, { kld: 0, maxAbsError: 0, agrees: true });
  });

  it('tells the largest difference of logits and -log p of the token that follows', () => {
    const metrics = compareRows(Float32Array.of(1, 2, 3), Float32Array.of(1.5, 0, 3), 1);
    assert.equal(metrics.maxAbsError, 2);
    near(metrics.nll!.reference, log(Math.E + Math.E ** 2 + Math.E ** 3) - 2);
    near(metrics.nll!.artifact, log(Math.E ** 1.5 + 1 + Math.E ** 3));
  });

  it('tells the likeliest tokens with their probabilities, the first of several', () => {
    const { guess } = compareRows(row([0.2, 0.5, 0.3]), row([0.4, 0.2, 0.4], 5), undefined);
    assert.deepEqual([guess.reference.id, guess.artifact.id], [1, 0]);
    near(guess.reference.probability, 0.5);
    near(guess.artifact.probability, 0.4);
  });

  it('knows no -log p without a token that follows', () => {
    assert.equal(compareRows(row([1]), row([1]), undefined).nll, undefined);
  });

  for (const broken of [Number.NaN, Infinity]) {
    it(`an artifact with ${broken} is infinitely far`, () => {
      const { kld, maxAbsError, nll } = compareRows(Float32Array.of(0, 0), Float32Array.of(0, broken), 0);
      assert.deepEqual([kld, maxAbsError, nll!.artifact], [Infinity, Infinity, Infinity]);
    });
  }
});

describe('all positions', () => {
  const metrics = (kld: number, changes: Partial<RowMetrics> = {}): RowMetrics => {
    const guess = { id: 0, probability: 1 };
    return {
      kld,
      agrees: true,
      maxAbsError: 0,
      nll: { reference: 0, artifact: 0 },
      guess: { reference: guess, artifact: guess },
      ...changes,
    };
  };

  it('mean, median, p99 and max', () => {
    // 101 values: the 99th percentile is the hundredth of them.
    const rows = Array.from({ length: 101 }, (_, i) => metrics((i * 37) % 101));
    assert.deepEqual(summarize(rows).kld, { mean: 50, median: 50, p99: 99, max: 100 });
  });

  it('quantiles between two positions are interpolated', () => {
    const { kld } = summarize([metrics(3), metrics(1)]);
    assert.equal(kld.median, 2);
    near(kld.p99, 2.98);
  });

  it('an infinite position makes mean and max infinite, not the median, and no limit passes it', () => {
    const comparison = summarize([metrics(1), metrics(Infinity), metrics(2)]);
    const { kld } = comparison;
    assert.deepEqual([kld.mean, kld.median, kld.max], [Infinity, 2, Infinity]);
    const fault = { what: 'mean KLD', got: Infinity, expected: 'a number' };
    assert.deepEqual(comparisonFault(comparison), fault);
    assert.equal(comparisonFault(summarize([metrics(1), metrics(2)])), undefined);
  });

  it('agreement is a share, the error a maximum', () => {
    const rows = [metrics(0, { agrees: false, maxAbsError: 1 }), metrics(0, { maxAbsError: 4 }), metrics(0)];
    const { tokens, top1, maxAbsError } = summarize([...rows, metrics(0)]);
    assert.deepEqual({ tokens, top1, maxAbsError }, { tokens: 4, top1: 0.75, maxAbsError: 4 });
  });

  it('perplexity is over the positions with a known follower', () => {
    const nll = (reference: number, artifact: number) => ({ nll: { reference, artifact } });
    const rows = [metrics(0, nll(log(2), log(3))), metrics(0, nll(log(8), log(27)))];
    const { ppl } = summarize([...rows, metrics(0, { nll: undefined })]);
    near(ppl.reference, 4);
    near(ppl.artifact, 9);
  });
});
