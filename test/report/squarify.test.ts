import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Rectangle, squarify } from '../../src/report/drawing/squarify.ts';

const AREA: Rectangle = { x: 10, y: 20, width: 460, height: 270 };

const near = (a: number, b: number) => Math.abs(a - b) < 1e-6;

describe('a squarified treemap', () => {
  it('is that of the paper', () => {
    const areas = squarify([6, 6, 4, 3, 2, 2, 1], { x: 0, y: 0, width: 6, height: 4 });
    const expected = [
      [0, 0, 3, 2],
      [0, 2, 3, 2],
      [3, 0, 12 / 7, 7 / 3],
      [3 + 12 / 7, 0, 9 / 7, 7 / 3],
    ];
    for (const [index, [x, y, width, height]] of expected.entries()) {
      const area = areas[index]!;
      assert.ok(
        near(area.x, x!) && near(area.y, y!) && near(area.width, width!) && near(area.height, height!),
        JSON.stringify(area),
      );
    }
  });

  it('has areas in proportion, inside, which do not overlap', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(weights, (unsorted) => {
        const sorted = unsorted.toSorted((a, b) => b - a);
        const total = sorted.reduce((sum, weight) => sum + weight, 0);
        const areas = squarify(sorted, AREA);
        for (const [index, { x, y, width, height }] of areas.entries()) {
          const share = (width * height) / (AREA.width * AREA.height);
          assert.ok(Math.abs(share - sorted[index]! / total) < 1e-9);
          assert.ok(x >= AREA.x - 1e-6 && x + width <= AREA.x + AREA.width + 1e-6);
          assert.ok(y >= AREA.y - 1e-6 && y + height <= AREA.y + AREA.height + 1e-6);
        }
        for (const [index, a] of areas.entries()) {
          for (const b of areas.slice(index + 1)) {
            const across = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
            const down = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
            assert.ok(across < 1e-6 || down < 1e-6);
          }
        }
      }),
    );
  });

  it('takes nothing, and weights of nothing', () => {
    assert.deepEqual(squarify([], AREA), []);
    assert.ok(squarify([0, 0], AREA).every(({ width, height }) => width * height === 0));
  });
});
