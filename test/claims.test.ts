import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { holds, MAX_TOLERANCE, stated } from '../bench/claims/claim.ts';
import { GEOMETRY_CLAIMS } from '../bench/claims/geometry.ts';
import { CLAIMS } from '../bench/claims/index.ts';
import { RECORDED_CLAIMS } from '../bench/claims/recorded.ts';

/** The figure times `factor`, with as many decimals as the document has. */
function edited(figure: string, factor: number): string {
  const [, { length: decimals } = ''] = /\.(\d+)/.exec(figure) ?? [];
  const value = factor * Number(figure.replaceAll(',', ''));
  return /e/i.test(figure) ? value.toExponential(decimals) : value.toFixed(decimals);
}

describe('claims of the documents', () => {
  for (const claim of CLAIMS) {
    const { file, tolerance } = claim;
    it(`${file}: ${claim.pattern.source.slice(0, 60)} is stated once, and not if it is edited by a tenth`, () => {
      assert.ok(tolerance <= MAX_TOLERANCE);
      for (const figure of stated(claim).figures) {
        const value = Number(figure.replaceAll(',', ''));
        assert.ok(holds(figure, value, tolerance), figure);
        for (const factor of [0.9, 1.1]) {
          assert.ok(!holds(edited(figure, factor), value, tolerance), `${figure} edited by ${factor}`);
        }
      }
    });
  }

  for (const claim of [...GEOMETRY_CLAIMS, ...RECORDED_CLAIMS]) {
    it(`${claim.file}: ${claim.pattern.source.slice(0, 60)} holds`, async () => {
      const { figures } = stated(claim);
      const measured = await claim.measure();
      assert.equal(measured.length, figures.length);
      for (const [index, figure] of figures.entries()) {
        assert.ok(holds(figure, measured[index]!, claim.tolerance), `${figure}: ${measured[index]}`);
      }
    });
  }
});

it('figures hold within their last digit', () => {
  assert.ok(holds('1.19', 1.1949, 0) && !holds('1.19', 1.1957, 0));
  assert.ok(holds('327,680', 327_680, 0) && !holds('327,680', 327_681, 0));
  assert.ok(holds('6.9e-5', 6.86e-5, 0) && !holds('6.9e-5', 7.0e-5, 0));
  assert.ok(holds('100', 104, 0.05) && !holds('100', 107, 0.05));
});
