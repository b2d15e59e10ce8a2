import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { firingPanel } from '../../src/report/panels/firing.ts';
import { kldByPositionPanel } from '../../src/report/panels/kld-curve.ts';
import { kldHistogramPanel } from '../../src/report/panels/kld-histogram.ts';
import { mixesPanel } from '../../src/report/panels/mixes.ts';
import { paretoPanel } from '../../src/report/panels/pareto.ts';
import { sizesPanel } from '../../src/report/panels/sizes.ts';
import { tensorErrorsPanel } from '../../src/report/panels/tensor-errors.ts';
import { SMALL_PLM } from '../support/builders/hollow-model.ts';
import { sweepPoint } from '../support/builders/sweep-point.ts';
import { positionsOf, verificationOf } from '../support/builders/verification.ts';

const VERIFICATION = verificationOf(SMALL_PLM);

/** Attributes of all elements of a kind, in their order. */
function attributes(markup: string, element: RegExp, ...names: string[]): number[][] {
  return [...markup.matchAll(element)].map(([text]) =>
    names.map((name) => Number(new RegExp(` ${name}="([^"]*)"`).exec(text)![1])),
  );
}

describe('the treemap', () => {
  const { figure, table, chart } = sizesPanel(VERIFICATION.tensors);
  const cells = attributes(figure!.text, /<rect x[^>]*fill="#[^>]*>/g, 'x', 'y', 'width', 'height');

  it('has a cell for each tensor, as large as its bytes', () => {
    const { tensors } = VERIFICATION;
    const total = tensors.reduce((sum, { bytes }) => sum + bytes, 0);
    assert.equal(cells.length, tensors.length);
    const areas = cells.map(([, , width, height]) => width! * height!).sort((a, b) => b - a);
    const bytes = tensors.map((tensor) => tensor.bytes).sort((a, b) => b - a);
    for (const [index, area] of areas.entries()) {
      // Coordinates are rounded to hundredths: of the smallest, 100 pixels long, that is a pixel of area.
      assert.ok(Math.abs(area - (bytes[index]! / total) * 460 * 270) < 3, `${area}`);
    }
    for (const [x, y, width, height] of cells) {
      assert.ok(x! >= 0 && y! >= 0 && x! + width! <= 460.02 && y! + height! <= 270.02);
    }
  });

  it('tells every tensor in words, and the schemes by their share', () => {
    assert.equal(table!.rows.length, VERIFICATION.tensors.length);
    const [name, scheme, shape, bytes, bits] = table!.rows.find(([row]) => row === 'model.norm.weight')!;
    assert.deepEqual([name, scheme, shape, bytes, bits], ['model.norm.weight', 'F32', '256', '1,024', '32']);
    assert.match(chart!, /^ {4}[█░]{24} \S+ \d+\.\d\d %$/m);
  });
});

describe('the heat map', () => {
  it('has a row per layer, a column a role, the darkest for the largest error', () => {
    const { figure, chart } = tensorErrorsPanel(VERIFICATION.tensors);
    const rows = figure!.text.match(/<tr><th scope="row">\d<\/th>.*?<\/tr>/g)!;
    assert.equal(rows.length, 2);
    assert.equal(rows[0]!.match(/<td/g)!.length, 6);
    const darkest = figure!.text.match(/background:#002051[^>]*>([\d.]+)</)!;
    const largest = Math.max(...VERIFICATION.tensors.map((tensor) => tensor.relativeRmsError));
    assert.equal(Number(darkest[1]), Number(largest.toPrecision(2)));
    assert.match(chart!, /^\| 1 \|( 0\.\d+ [░▒▓█] \|){6}$/m);
  });

  it('shows a norm only where it is off', () => {
    const off = VERIFICATION.tensors.map((tensor) =>
      tensor.role === 'norm' ? { ...tensor, relativeRmsError: Infinity } : tensor,
    );
    assert.ok(!tensorErrorsPanel(VERIFICATION.tensors).figure!.text.includes('layernorm'));
    assert.match(tensorErrorsPanel(off).figure!.text, /<th scope="row">norm<\/th><td[^>]*>Infinity</);
  });
});

describe('the histogram', () => {
  it('draws as many positions as there are, but for those it names', () => {
    const positions = positionsOf([0, 1e-12, 1e-4, 2e-4, 0.1, Infinity]);
    const kld = { mean: Infinity, median: 1e-4, p99: Infinity, max: Infinity };
    const { figure, table, note } = kldHistogramPanel({ positions, kld });
    const counts = table!.rows.map(([, count]) => Number(count));
    assert.equal(
      counts.reduce((sum, count) => sum + count),
      positions.length,
    );
    assert.match(note, /2 positions below 1e-9 .* 1 positions that are not finite/);
    const bars = attributes(figure!.text, /<rect class="artifact"[^>]*>/g, 'height');
    const drawn = table!.rows.slice(1, -1);
    assert.equal(bars.length, drawn.length);
    const most = Math.max(...bars.map(([height]) => height!));
    const largest = Math.max(...drawn.map(([, count]) => Number(count)));
    for (const [index, [height]] of bars.entries()) {
      assert.ok(Math.abs(height! / most - Number(drawn[index]![1]) / largest) < 0.001);
    }
    assert.match(figure!.text, />median 0\.0001</);
    assert.doesNotMatch(figure!.text, /Infinity|NaN/);
  });

  it('is left out where source and artifact are equal', () => {
    const kld = { mean: 0, median: 0, p99: 0, max: 0 };
    assert.equal(kldHistogramPanel({ positions: positionsOf([0, 0]), kld }).figure, undefined);
  });
});

describe('the curve', () => {
  it('goes through the means of the positions, and breaks where one is not finite', () => {
    const positions = positionsOf([1, 2, 3, 4, 3, 2, Infinity, 4]);
    const kld = { mean: 2, median: 2, p99: 4, max: 4 };
    const { figure, table } = kldByPositionPanel({ positions, kld, contextLength: 4 });
    assert.deepEqual(table!.rows, [
      ['0', '2'],
      ['1', '2'],
      ['2', 'Infinity'],
      ['3', '4'],
    ]);
    const dots = attributes(figure!.text, /<circle[^>]*>/g, 'cx', 'cy');
    // From x 64 to 448, from y 226 (0) to 14 (4).
    assert.deepEqual(dots, [
      [64, 120],
      [192, 120],
      [448, 14],
    ]);
    assert.match(figure!.text, /d="M64 120L192 120M448 14"/);
  });
});

describe('firing', () => {
  it('has a bar a layer and model, as high as the share', () => {
    const { figure, table } = firingPanel({ firing: { reference: [0.1, 0.2], artifact: [0.05, 0.4] } });
    const heights = attributes(figure!.text, /<rect[^>]*>/g, 'height').flat();
    assert.deepEqual(heights, [53, 106, 26.5, 212]);
    assert.deepEqual(table!.rows, [
      ['0', '10.00 %', '5.00 %'],
      ['1', '20.00 %', '40.00 %'],
    ]);
  });

  it('says who cannot tell', () => {
    assert.match(
      firingPanel({ firing: { reference: [0.1] } }).note,
      /engine of the artifact does not report it/,
    );
    const { figure, note } = firingPanel({});
    assert.equal(figure, undefined);
    assert.match(note, /does not report/);
  });
});

describe('a sweep', () => {
  const points = [sweepPoint(300, 0.01), sweepPoint(100, 0.1), sweepPoint(200, 0.2)];

  it('draws points by bytes, and those that others beat hollow', () => {
    const { figure, table } = paretoPanel(points);
    const dots = [...figure!.text.matchAll(/<circle class="(\w+)" cx="([\d.]+)" cy="([\d.]+)"/g)];
    assert.deepEqual(
      dots.map(([, kind]) => kind),
      ['artifact', 'hollow', 'artifact'],
    );
    const [first, second, third] = dots.map(([, , x, y]) => [Number(x), Number(y)] as const);
    assert.ok(Math.abs(second![0] - (first![0] + third![0]) / 2) < 0.02);
    // Lower is better: a tenth of the divergence is a decade below.
    assert.ok(second![1] < first![1] && first![1] < third![1]);
    assert.deepEqual(
      table!.rows.map(([, bytes]) => bytes),
      ['100', '200', '300'],
    );
  });

  it('takes a single point, and one without divergence', () => {
    assert.doesNotMatch(paretoPanel([sweepPoint(100, 0.1)]).figure!.text, /NaN|Infinity/);
    assert.equal(paretoPanel([sweepPoint(100, 0)]).figure, undefined);
  });

  it('shows the schemes of every size by their share of the bytes', () => {
    const { figure, table } = mixesPanel([sweepPoint(100, 0.1)]);
    assert.deepEqual(table!.rows, [['100', '25.00 %', '75.00 %']]);
    const widths = attributes(figure!.text, /<rect[^>]*>/g, 'width').flat();
    assert.deepEqual(widths, [96, 288]);
  });
});
