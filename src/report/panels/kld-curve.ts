import { formatCount, formatSmall } from '../../core/text/format.ts';
import type { Verification } from '../../pipeline/verify.ts';
import { type Average, averages } from '../drawing/averages.ts';
import { xyChart } from '../drawing/mermaid.ts';
import { coordinate, PLOT_X, PLOT_Y, plot } from '../drawing/plot.ts';
import { linearScale, type Scale } from '../drawing/scale.ts';
import { html, type Markup } from '../markup.ts';
import type { Panel } from '../panel.ts';

type Compared = Pick<Verification, 'positions' | 'contextLength' | 'kld'>;

/** Stretches that a curve is drawn of, and those that are listed. */
const POINTS = 64;
const ROWS = 16;

/** The divergence by the number of tokens that came before in a window. */
export function kldByPositionPanel({ positions, contextLength, kld }: Compared): Panel {
  const places = Math.min(contextLength, positions.length);
  const windows = Math.ceil(positions.length / contextLength);
  return curvePanel({
    title: 'Divergence by position',
    note: `Mean over ${windows === 1 ? 'the only window' : `${formatCount(windows)} windows`} of ${formatCount(contextLength)} tokens, each without a past.`,
    axis: 'position in its window',
    averagesOf: (count) => averages(klds(positions), (index) => index % contextLength, places, count),
    places,
    mean: kld.mean,
  });
}

/** The divergence along the text. */
export function kldAlongTextPanel({ positions, kld }: Compared): Panel {
  return curvePanel({
    title: 'Divergence along the text',
    note: 'Mean over stretches of the text. Where it is high, that kind of text costs more.',
    axis: 'token of the text',
    averagesOf: (count) => averages(klds(positions), (index) => index, positions.length, count),
    places: positions.length,
    mean: kld.mean,
  });
}

interface Curve {
  readonly title: string;
  readonly note: string;
  readonly axis: string;
  readonly places: number;
  readonly mean: number;
  readonly averagesOf: (count: number) => Average[];
}

function curvePanel({ title, note, axis, places, mean, averagesOf }: Curve): Panel {
  const points = averagesOf(POINTS);
  const finite = points.map((point) => point.mean).filter(Number.isFinite);
  const x = linearScale([0, Math.max(1, places - 1)], PLOT_X);
  const y = linearScale([0, Math.max(0, ...finite)], PLOT_Y);
  const isMeanDrawn = mean <= Math.max(0, ...finite);
  const marks = [
    ...(isMeanDrawn ? [meanLine(y, mean)] : []),
    line(points, x, y),
    ...points.filter((point) => Number.isFinite(point.mean)).map((point) => dot(point, x, y)),
  ];
  const drawing = plot(
    title,
    { label: axis, scale: x, format: formatCount },
    { label: 'mean KLD (nats)', scale: y },
    marks,
  );
  return {
    title,
    note,
    figure: html`${drawing}${isMeanDrawn ? html`<p class="note">Dashed: the mean of all positions, ${formatSmall(mean)}.</p>` : ''}`,
    chart: xyChart({
      title,
      x: { label: axis, from: 0, to: places - 1 },
      y: { label: 'mean KLD', from: 0, to: Math.max(0, ...finite) },
      kind: 'line',
      values: points.map((point) => point.mean),
    }),
    table: {
      columns: [{ header: axis }, { header: 'mean KLD', align: 'right' }],
      rows: averagesOf(ROWS).map(({ first, last, mean: value }) => [
        first === last ? formatCount(first) : `${formatCount(first)} to ${formatCount(last)}`,
        formatSmall(value),
      ]),
    },
  };
}

function klds(positions: Compared['positions']): number[] {
  return positions.map(({ kld }) => kld);
}

function middle({ first, last }: Average): number {
  return (first + last) / 2;
}

/** Breaks where a mean is not finite. */
function line(points: readonly Average[], x: Scale, y: Scale): Markup {
  let command = 'M';
  const path = points.map((point) => {
    if (!Number.isFinite(point.mean)) {
      command = 'M';
      return '';
    }
    const text = `${command}${coordinate(x.at(middle(point)))} ${coordinate(y.at(point.mean))}`;
    command = 'L';
    return text;
  });
  return html`<path class="line" d="${path.join('')}"/>`;
}

function dot(point: Average, x: Scale, y: Scale): Markup {
  const what = `${formatCount(point.first)} to ${formatCount(point.last)}: ${formatSmall(point.mean)}`;
  return html`<circle class="artifact" cx="${coordinate(x.at(middle(point)))}" cy="${coordinate(y.at(point.mean))}" r="2.2"><title>${what}</title></circle>`;
}

function meanLine(y: Scale, mean: number): Markup {
  const at = coordinate(y.at(mean));
  return html`<g class="marker"><line x1="${PLOT_X[0]}" x2="${PLOT_X[1]}" y1="${at}" y2="${at}"/></g>`;
}
