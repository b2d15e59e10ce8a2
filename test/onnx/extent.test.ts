import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  add,
  divide,
  type Extent,
  equal,
  multiply,
  named,
  namesIn,
  product,
  substitute,
  subtract,
} from '../../src/onnx/check/extent.ts';
import { Sizes } from '../../src/onnx/check/sizes.ts';

const NAMES = ['a', 'b', 'c'];

const extent: fc.Arbitrary<Extent> = fc
  .array(fc.tuple(fc.integer({ min: -4, max: 4 }), fc.array(fc.constantFrom(...NAMES), { maxLength: 3 })), {
    maxLength: 4,
  })
  .map((terms) => terms.map(([factor, names]) => multiply(factor, product(names.map(named)))).reduce(add, 0));

const sizes = fc.tuple(fc.nat(50), fc.nat(50), fc.nat(50));

function evaluate(of: Extent, values: readonly number[]): number {
  const fixed = NAMES.reduce<Extent>((rest, name, i) => substitute(rest, name, values[i]!), of);
  assert.ok(typeof fixed === 'number');
  return fixed;
}

describe('extents', () => {
  it('are added and multiplied as the sizes are that they stand for', () => {
    fc.assert(
      fc.property(extent, extent, sizes, (a, b, values) => {
        const [x, y] = [evaluate(a, values), evaluate(b, values)];
        assert.equal(evaluate(add(a, b), values), x + y);
        assert.equal(evaluate(subtract(a, b), values), x - y);
        // 0, not -0.
        assert.equal(evaluate(multiply(a, b), values) + 0, x * y + 0);
      }),
    );
  });

  it('are divided by every factor, and by nothing that leaves a rest', () => {
    fc.assert(
      fc.property(extent, extent, (a, b) => {
        const quotient = divide(multiply(a, b), b);
        if (b === 0) assert.equal(quotient, undefined);
        else assert.ok(equal(quotient!, a));
        const rest = divide(a, b);
        if (rest !== undefined) assert.ok(equal(multiply(rest, b), a));
      }),
    );
  });

  it('are written as sums of products', () => {
    assert.equal(String(add(multiply(2, multiply(named('a'), named('b'))), 3)), '2 * a * b + 3');
    assert.ok(equal(named('a + b'), add(named('b'), named('a'))));
    assert.deepEqual(namesIn(named('a + b + 1')), ['a', 'b']);
  });
});

describe('what is known of sizes', () => {
  it('a name may be the sum of others, once', () => {
    const known = new Sizes();
    const sum = named('old + new');
    assert.ok(equal(known.agree(named('total'), sum)!, sum));
    assert.ok(equal(known.resolve(multiply(2, named('total'))), multiply(2, sum)));
    assert.equal(known.agree(named('total'), named('old')), undefined);
    assert.equal(known.agree(named('other'), sum), undefined);
  });

  it('a name is no other name, no number, no sum with itself', () => {
    const known = new Sizes();
    assert.equal(known.agree(named('a'), named('b')), undefined);
    assert.equal(known.agree(named('a'), 3), undefined);
    assert.equal(known.agree(named('a'), named('a + b')), undefined);
    assert.equal(known.agree(named('a'), add(named('b'), 1)), undefined);
  });

  it('what is not known agrees with everything', () => {
    const known = new Sizes();
    assert.equal(known.agree(known.unknown(), 3), 3);
    assert.ok(equal(known.agree(named('a'), known.unknown())!, named('a')));
  });
});
