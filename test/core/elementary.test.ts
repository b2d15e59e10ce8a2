import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { exp } from '../../src/core/elementary/exp.ts';
import { log } from '../../src/core/elementary/log.ts';
import { power } from '../../src/core/elementary/power.ts';
import { rotation } from '../../src/core/elementary/rotation.ts';
import { ropeFrequencies } from '../../src/core/rope.ts';
import { ulps } from '../support/oracles/exact-functions.ts';

/** Numbers from `low` to `high` that are no multiples of anything. */
function spread(count: number, low: number, high: number): number[] {
  return Array.from({ length: count }, (_, i) => low + (high - low) * ((i * 0.6180339887498949) % 1));
}

const THETAS = [1e4, 1e5, 5e5, 1e6, 10_000.5, 3];

describe('elementary functions beside exact arithmetic', () => {
  it('e^x is off by less than one ulp', () => {
    const worst = Math.max(...spread(200, -40, 40).map((x) => ulps.exp(x, exp(x))));
    assert.ok(worst < 1, String(worst));
    assert.deepEqual([exp(0), exp(-Infinity), exp(-746), exp(710)], [1, 0, 0, Infinity]);
    assert.ok(Number.isNaN(exp(Number.NaN)));
    // The largest and the smallest argument, and those of published constants (OEIS A001113, A068985).
    assert.deepEqual([exp(1), exp(-1)], [Math.E, 0.36787944117144233]);
    assert.deepEqual([exp(709.782712893384), exp(-745.1332191019411)], [1.7976931348622732e308, 5e-324]);
  });

  it('the logarithm is off by less than one ulp, near 1 too', () => {
    const samples = [...spread(100, 0.001, 1000), ...spread(100, 0.99, 1.01), ...spread(20, 1e-30, 1e-29)];
    const worst = Math.max(...samples.map((x) => ulps.log(x, log(x))));
    assert.ok(worst < 1, String(worst));
    // Published constants (OEIS A002162, A002392), and 1024 and -1074 times the first.
    assert.deepEqual([log(2), log(10), log(1)], [Math.LN2, Math.LN10, 0]);
    assert.deepEqual([log(Number.MAX_VALUE), log(5e-324)], [709.782712893384, -744.4400719213812]);
    assert.deepEqual([log(0), log(Infinity), log(-1)], [-Infinity, Infinity, Number.NaN]);
  });

  it('cos and sin are off by less than one ulp, at the last position too', () => {
    const angles = [...spread(100, 0, 10), ...spread(100, 0, 2 ** 30), 0.5, 1.5707963267948966, Math.PI];
    for (const angle of angles) {
      const { cos, sin } = rotation(angle);
      assert.ok(ulps.cos(angle, cos) < 1 && ulps.sin(angle, sin) < 1, `${angle}: ${cos}, ${sin}`);
    }
    assert.deepEqual(rotation(0), { cos: 1, sin: 0 });
  });

  it('powers are the nearest doubles', () => {
    for (const theta of THETAS) {
      for (const [i, frequency] of ropeFrequencies(theta, 64).entries()) {
        const off = ulps.power(theta, -i / 32, frequency);
        assert.ok(off <= 0.5, `${theta}^(-${i}/32) is off by ${off}`);
      }
    }
    assert.deepEqual([power(2, 10), power(2, -0.5), power(7, 0)], [1024, Math.SQRT1_2, 1]);
  });
});

it('the bits of elementary functions are the same everywhere', () => {
  const hash = createHash('sha256');
  const values = [
    ...spread(5000, -740, 0).map(exp),
    ...spread(5000, 0, 1e9).map(log),
    ...spread(5000, 0, 2 ** 20).flatMap((angle) => Object.values(rotation(angle))),
    ...THETAS.flatMap((theta) => [...ropeFrequencies(theta, 64)]),
  ];
  hash.update(new Uint8Array(Float64Array.from(values).buffer));
  assert.equal(hash.digest('hex'), '538bbfc3bec3e2ff88a897e018100f8fc8cb80c43c2fc5d8ee378274b635deda');
});
