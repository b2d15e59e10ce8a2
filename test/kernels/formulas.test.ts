import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { floats } from '../support/builders/samples.ts';
import { openPlain } from '../support/drivers/plain-kernels.ts';
import { expNegative } from '../support/oracles/kernels/exp.ts';
import { gaussians, put } from './cases.ts';

/** The definitions of jobs.ts, in f64 and without regard to order. */

const compute = await openPlain(32 << 20);

const EPSILON = 2 ** -24;

function assertClose(actual: Float32Array, expected: (index: number) => number, tolerance: number): void {
  actual.forEach((value, i) => {
    const wanted = expected(i);
    assert.ok(Math.abs(value - wanted) <= tolerance, `element ${i}: ${value}, expected ${wanted}`);
  });
}

const sum = (count: number, term: (i: number) => number) =>
  Array.from({ length: count }, (_, i) => term(i)).reduce((a, b) => a + b, 0);

/** The slope of `loss` by each element, by central differences, whose own errors are below 1e-8. */
function slopes(loss: (at: readonly number[]) => number, x: Float32Array): (index: number) => number {
  const step = 1e-5;
  return (index) => {
    const moved = (by: number) => loss(Array.from(x, (value, i) => (i === index ? value + by : value)));
    return (moved(step) - moved(-step)) / (2 * step);
  };
}

describe('plain kernels compute their formulas', () => {
  const [rows, columns, batch, tokens] = [6, 37, 3, 5];
  const weights = gaussians(batch * rows * columns, 1);
  const W = (b: number, r: number, c: number) => weights[(b * rows + r) * columns + c]!;
  const matrix = {
    weights: put(compute, new Uint8Array(weights.buffer)),
    scheme: 0,
    rowBytes: 4 * columns,
    rows,
    columns,
    batch,
    weightsBatchBytes: 4 * rows * columns,
    tokens,
  };
  // Each of n products and n additions errs by half an ulp of at most the sum of magnitudes, here below 100.
  const dotTolerance = (n: number) => n * EPSILON * 100;

  it('matmul', () => {
    const x = gaussians(tokens * batch * columns, 2);
    const y = compute.alloc(4 * tokens * batch * rows);
    compute.run('matmul', {
      ...matrix,
      x: put(compute, x),
      xTokenStride: batch * columns,
      xBatchStride: columns,
      y,
      yTokenStride: batch * rows,
      yBatchStride: rows,
    });
    const expected = (i: number) => {
      const [t, b, r] = [Math.floor(i / rows / batch), Math.floor(i / rows) % batch, i % rows];
      return sum(columns, (c) => x[(t * batch + b) * columns + c]! * W(b, r, c));
    };
    assertClose(compute.floats(y, tokens * batch * rows), expected, dotTolerance(columns));
  });

  it('matmulTransposed', () => {
    const x = gaussians(tokens * batch * rows, 3);
    const y = compute.alloc(4 * tokens * batch * columns);
    compute.run('matmulTransposed', {
      ...matrix,
      x: put(compute, x),
      xTokenStride: batch * rows,
      xBatchStride: rows,
      y,
      yTokenStride: batch * columns,
      yBatchStride: columns,
    });
    const expected = (i: number) => {
      const [t, b, c] = [Math.floor(i / columns / batch), Math.floor(i / columns) % batch, i % columns];
      return sum(rows, (r) => x[(t * batch + b) * rows + r]! * W(b, r, c));
    };
    assertClose(compute.floats(y, tokens * batch * columns), expected, dotTolerance(rows));
  });

  it('matmulSparse', () => {
    const x = gaussians(tokens * rows, 18).map((v) => Math.max(v, 0));
    const [y, used] = [compute.alloc(4 * tokens * columns), compute.alloc(4 * tokens)];
    const { weights: pointer, scheme, rowBytes } = matrix;
    compute.run('matmulSparse', {
      weights: pointer,
      scheme,
      rowBytes,
      rows,
      columns,
      x: put(compute, x),
      xTokenStride: rows,
      y,
      yTokenStride: columns,
      used,
      tokens,
    });
    const expected = (i: number) => {
      const [t, c] = [Math.floor(i / columns), i % columns];
      return sum(rows, (r) => x[t * rows + r]! * W(0, r, c));
    };
    assertClose(compute.floats(y, tokens * columns), expected, dotTolerance(rows));
    const nonzero = (_: unknown, t: number) => sum(rows, (r) => Number(x[t * rows + r]! > 0));
    assert.deepEqual([...compute.ints(used, tokens)], Array.from({ length: tokens }, nonzero));
  });

  it('embed', () => {
    const y = compute.alloc(4 * 3 * columns);
    const ids = [4, 0, 17];
    const { weights: pointer, scheme, rowBytes } = matrix;
    compute.run('embed', {
      weights: pointer,
      scheme,
      rowBytes,
      columns,
      ids: put(compute, Int32Array.from(ids)),
      y,
      yTokenStride: columns,
      tokens: 3,
    });
    const expected = (i: number) => weights[ids[Math.floor(i / columns)]! * columns + (i % columns)]!;
    assertClose(compute.floats(y, 3 * columns), expected, 0);
  });

  it('rmsNorm', () => {
    const [x, gamma] = [gaussians(tokens * columns, 4), gaussians(columns, 5)];
    const y = compute.alloc(4 * tokens * columns);
    compute.run('rmsNorm', {
      x: put(compute, x),
      xTokenStride: columns,
      y,
      yTokenStride: columns,
      gamma: put(compute, gamma),
      columns,
      epsilon: 1e-5,
      tokens,
    });
    const expected = (i: number) => {
      const row = x.subarray(i - (i % columns), i - (i % columns) + columns);
      const mean = sum(columns, (c) => row[c]! ** 2) / columns;
      return (x[i]! / Math.sqrt(mean + 1e-5)) * gamma[i % columns]!;
    };
    // Three roundings of values below 16.
    assertClose(compute.floats(y, tokens * columns), expected, 3 * EPSILON * 16);
  });

  it('rmsNormGradient', () => {
    const [x, gamma, g] = [gaussians(columns, 4), gaussians(columns, 5), gaussians(columns, 30)];
    const pointer = put(compute, g);
    compute.run('rmsNormGradient', {
      x: put(compute, x),
      xTokenStride: 0,
      g: pointer,
      gTokenStride: columns,
      gamma: put(compute, gamma),
      columns,
      epsilon: 1e-5,
      tokens: 1,
    });
    const loss = (at: readonly number[]) => {
      const root = Math.sqrt(sum(columns, (c) => at[c]! ** 2) / columns + 1e-5);
      return sum(columns, (c) => (g[c]! * at[c]! * gamma[c]!) / root);
    };
    assertClose(compute.floats(pointer, columns), slopes(loss, x), 1e-6);
  });

  for (const interleaved of [0, 1]) {
    it(`rope of ${interleaved ? 'neighbours' : 'halves'}`, () => {
      const [dim, heads, position] = [8, 3, 2];
      const angle = (at: number, pair: number) => at * 100 ** (-pair / (dim / 2));
      const table = floats((position + tokens) * dim, (i) => {
        const [at, pair] = [Math.floor(i / dim), Math.floor((i % dim) / 2)];
        return i % 2 ? Math.sin(angle(at, pair)) : Math.cos(angle(at, pair));
      });
      const x = gaussians(tokens * heads * dim, 6);
      const pointer = put(compute, x);
      compute.run('rope', {
        x: pointer,
        tokenStride: heads * dim,
        headStride: dim,
        heads,
        dim,
        table: put(compute, table),
        position,
        interleaved,
        tokens,
      });
      const expected = (i: number) => {
        const [t, j, first] = [Math.floor(i / dim / heads), i % dim, i - (i % dim)];
        const [pair, isSecond] = interleaved
          ? [Math.floor(j / 2), j % 2 === 1]
          : [j % (dim / 2), j >= dim / 2];
        const [p, q] = interleaved ? [2 * pair, 2 * pair + 1] : [pair, pair + dim / 2];
        const [a, b, theta] = [x[first + p]!, x[first + q]!, angle(position + t, pair)];
        return isSecond
          ? a * Math.sin(theta) + b * Math.cos(theta)
          : a * Math.cos(theta) - b * Math.sin(theta);
      };
      // The table's rounding, two products and an addition of values below 8.
      assertClose(compute.floats(pointer, x.length), expected, 5 * EPSILON * 8);
    });
  }

  for (const shared of [false, true]) {
    it(`attention with ${shared ? 'shared' : 'separate'} keys and values`, () => {
      const [heads, keyDim, valueDim, position] = [4, 12, 10, 9];
      const [length, stored] = [position + tokens, shared ? 1 : heads];
      const q = gaussians(tokens * heads * keyDim, 7);
      const keys = gaussians(length * stored * keyDim, 8);
      const values = gaussians(length * stored * valueDim, 9);
      const out = compute.alloc(4 * tokens * heads * valueDim);
      compute.run('attention', {
        q: put(compute, q),
        qTokenStride: heads * keyDim,
        qHeadStride: keyDim,
        keys: put(compute, keys),
        keyStride: stored * keyDim,
        keyHeadStride: shared ? 0 : keyDim,
        keyDim,
        values: put(compute, values),
        valueStride: stored * valueDim,
        valueDim,
        valueHeadStride: shared ? 0 : valueDim,
        out,
        outTokenStride: heads * valueDim,
        outHeadStride: valueDim,
        heads,
        tokens,
        position,
        scale: 0.3,
      });
      const expected = (i: number) => {
        const [t, h, c] = [Math.floor(i / valueDim / heads), Math.floor(i / valueDim) % heads, i % valueDim];
        const head = shared ? 0 : h;
        const weight = Array.from({ length: position + t + 1 }, (_, s) => {
          const at = (d: number) => keys[(s * stored + head) * keyDim + d]!;
          return Math.exp(0.3 * sum(keyDim, (d) => q[(t * heads + h) * keyDim + d]! * at(d)));
        });
        const total = sum(weight.length, (s) => weight[s]!);
        return sum(weight.length, (s) => weight[s]! * values[(s * stored + head) * valueDim + c]!) / total;
      };
      // Scores below 8 err by some ulps of 8, which the exponential turns into relative errors of the
      // weights.
      assertClose(compute.floats(out, tokens * heads * valueDim), expected, 16 * EPSILON * 8);
    });
  }

  for (const shared of [false, true]) {
    it(`attentionGradient with ${shared ? 'shared' : 'separate'} keys and values`, () => {
      const [heads, keyDim, valueDim, scale] = [3, 5, 4, 0.3];
      const stored = shared ? 1 : heads;
      const sizes = [heads * keyDim, stored * keyDim, stored * valueDim, heads * valueDim];
      const [q, keys, values, g] = sizes.map((size, i) => gaussians(tokens * size, 40 + i));
      const [gq, gKeys] = [1, 2].map(() => compute.alloc(4 * tokens * heads * keyDim));
      const gValues = compute.alloc(4 * tokens * heads * valueDim);
      compute.run('attentionGradient', {
        q: put(compute, q!),
        qTokenStride: heads * keyDim,
        qHeadStride: keyDim,
        keys: put(compute, keys!),
        keyStride: stored * keyDim,
        keyHeadStride: shared ? 0 : keyDim,
        keyDim,
        values: put(compute, values!),
        valueStride: stored * valueDim,
        valueHeadStride: shared ? 0 : valueDim,
        valueDim,
        g: put(compute, g!),
        gTokenStride: heads * valueDim,
        gHeadStride: valueDim,
        gq: gq!,
        gKeys: gKeys!,
        gValues,
        heads,
        tokens,
        scale,
      });
      /** Of what one head makes of its own keys and values: shared ones count once for each head. */
      const loss = (h: number, qs: ArrayLike<number>, ks: ArrayLike<number>, vs: ArrayLike<number>) =>
        sum(tokens, (t) => {
          const weight = Array.from({ length: t + 1 }, (_, s) =>
            Math.exp(scale * sum(keyDim, (d) => qs[t * keyDim + d]! * ks[s * keyDim + d]!)),
          );
          const total = sum(weight.length, (s) => weight[s]!);
          const out = (c: number) => sum(weight.length, (s) => weight[s]! * vs[s * valueDim + c]!) / total;
          return sum(valueDim, (c) => g![(t * heads + h) * valueDim + c]! * out(c));
        });
      const headOf = (all: Float32Array, of: number, h: number, dim: number) =>
        Float32Array.from(
          { length: tokens * dim },
          (_, i) => all[(Math.floor(i / dim) * of + h) * dim + (i % dim)]!,
        );
      for (let h = 0; h < heads; h++) {
        const own = shared ? 0 : h;
        const [hq, hk, hv] = [
          headOf(q!, heads, h, keyDim),
          headOf(keys!, stored, own, keyDim),
          headOf(values!, stored, own, valueDim),
        ];
        const found = (pointer: number, dim: number) =>
          headOf(compute.floats(pointer, tokens * heads * dim), heads, h, dim);
        // Slopes below 8, of some hundred operations in f32.
        assertClose(
          found(gq!, keyDim),
          slopes((at) => loss(h, at, hk, hv), hq),
          1e-5,
        );
        assertClose(
          found(gKeys!, keyDim),
          slopes((at) => loss(h, hq, at, hv), hk),
          1e-5,
        );
        assertClose(
          found(gValues, valueDim),
          slopes((at) => loss(h, hq, hk, at), hv),
          1e-5,
        );
      }
    });
  }

  it('softmax', () => {
    const x = gaussians(tokens * columns, 32);
    const pointer = put(compute, x);
    compute.run('softmax', { x: pointer, tokenStride: columns, columns, tokens });
    const expected = (i: number) => {
      const first = i - (i % columns);
      return Math.exp(x[i]!) / sum(columns, (c) => Math.exp(x[first + c]!));
    };
    assertClose(compute.floats(pointer, x.length), expected, 4 * EPSILON);
  });

  it('reluSquaredGradient', () => {
    const [u, g] = [gaussians(columns, 10), gaussians(columns, 33)];
    const pointer = put(compute, g);
    const y = put(
      compute,
      u.map((value) => Math.max(0, value) ** 2),
    );
    compute.run('reluSquaredGradient', {
      y,
      yTokenStride: columns,
      g: pointer,
      gTokenStride: columns,
      columns,
      tokens: 1,
    });
    const loss = (at: readonly number[]) => sum(columns, (c) => g[c]! * Math.max(0, at[c]!) ** 2);
    assertClose(compute.floats(pointer, columns), slopes(loss, u), 1e-6);
  });

  it('reluSquared', () => {
    const x = gaussians(tokens * columns, 10);
    const pointer = put(compute, x);
    compute.run('reluSquared', { x: pointer, tokenStride: columns, columns, tokens });
    assertClose(
      compute.floats(pointer, x.length),
      (i) => Math.fround(Math.max(0, x[i]!) * Math.max(0, x[i]!)),
      0,
    );
  });

  for (const shared of [false, true]) {
    it(`add${shared ? ' of one vector to all tokens' : ''}`, () => {
      const [x, y] = [gaussians(tokens * columns, 11), gaussians(tokens * columns, 12)];
      const [pointer, xTokenStride] = [put(compute, y), shared ? 0 : columns];
      const job = { x: put(compute, x), xTokenStride, y: pointer, yTokenStride: columns, columns, tokens };
      compute.run('add', job);
      const expected = (i: number) => Math.fround(x[shared ? i % columns : i]! + y[i]!);
      assertClose(compute.floats(pointer, y.length), expected, 0);
    });
  }

  it('columnSums', () => {
    const x = gaussians(tokens * columns, 17);
    const [squares, sums, positives] = [0, 8, 16].map((at) => at * columns) as [number, number, number];
    const area = compute.alloc(24 * columns);
    compute.doubles(area, 3 * columns).fill(1);
    compute.run('columnSums', {
      x: put(compute, x),
      tokenStride: columns,
      columns,
      tokens,
      weight: 2,
      squares: area + squares,
      sums: area + sums,
      positives: area + positives,
    });
    const assertSums = (at: number, term: (value: number) => number) =>
      compute.doubles(area + at, columns).forEach((value, c) => {
        const expected = 1 + 2 * sum(tokens, (t) => term(x[t * columns + c]!));
        assert.ok(Math.abs(value - expected) < 1e-13);
      });
    assertSums(squares, (v) => v * v);
    assertSums(sums, (v) => v);
    assertSums(positives, (v) => Number(v > 0));
  });

  it('columnProducts', () => {
    const [x, y] = [gaussians(tokens * columns, 34), gaussians(tokens * columns, 35)];
    const sums = compute.alloc(8 * columns);
    compute.doubles(sums, columns).fill(1);
    compute.run('columnProducts', {
      x: put(compute, x),
      xTokenStride: columns,
      y: put(compute, y),
      yTokenStride: columns,
      columns,
      tokens,
      weight: 2,
      sums,
    });
    compute.doubles(sums, columns).forEach((value, c) => {
      const expected = 1 + 2 * sum(tokens, (t) => x[t * columns + c]! * y[t * columns + c]!);
      assert.ok(Math.abs(value - expected) < 1e-13);
    });
  });

  it('secondMoments', () => {
    const n = 11;
    const x = gaussians(tokens * n, 18).map((value) => Math.max(0, value));
    const moments = compute.alloc(4 * n * (n + 1));
    const job = { x: put(compute, x), tokenStride: n, columns: n, tokens, weight: 0.5, moments };
    compute.run('secondMoments', job);
    const values = compute.doubles(moments, (n * (n + 1)) / 2);
    let at = 0;
    for (let i = 0; i < n; i++) {
      for (let j = i; j < n; j++, at++) {
        const expected = 0.5 * sum(tokens, (t) => x[t * n + i]! * x[t * n + j]!);
        assert.ok(Math.abs(values[at]! - expected) < 1e-6, `[${i}, ${j}]`);
      }
    }
  });

  it('difference', () => {
    const [a, b] = [gaussians(columns, 13), gaussians(columns, 14)];
    const out = compute.alloc(32);
    const rowBytes = 4 * columns;
    compute.run('difference', {
      a: put(compute, a),
      aScheme: 0,
      aRowBytes: rowBytes,
      b: put(compute, b),
      bScheme: 0,
      bRowBytes: rowBytes,
      rows: 1,
      columns,
      out,
    });
    const error = (c: number) => a[c]! - b[c]!;
    assert.deepEqual(
      [...compute.doubles(out, 4)],
      [
        sum(columns, (c) => error(c) ** 2),
        sum(columns, (c) => a[c]! ** 2),
        Math.max(...Array.from({ length: columns }, (_, c) => Math.abs(error(c)))),
        0,
      ],
    );
  });
});

describe('expNegative', () => {
  it('is the exponential rounded to f32, but for rare neighbours of a tie', () => {
    let different = 0;
    for (let i = 0; i <= 200_000; i++) {
      const x = Math.fround(-i * 5.3e-4);
      const [actual, exact] = [expNegative(x), Math.exp(x)];
      const rounded = Math.fround(exact);
      if (actual !== rounded) different++;
      // One unit in the last place, 2^-149 among the denormals.
      assert.ok(
        Math.abs(actual - rounded) <= Math.max(2 ** -149, rounded * 2 ** -23),
        `exp(${x}) = ${actual}`,
      );
    }
    // A polynomial error of 2.1e-10 against a half ulp of 3e-8 moves the rounding in less than one case of a
    // hundred.
    assert.ok(different < 2000, `${different} values differ`);
  });

  it('ends in exact values', () => {
    assert.deepEqual([0, -0, -103, -104, -105, -1e30, -Infinity].map(expNegative), [
      1,
      1,
      2 ** -149,
      0,
      0,
      0,
      0,
    ]);
  });
});
