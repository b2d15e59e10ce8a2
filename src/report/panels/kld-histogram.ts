import { formatCount, formatCounted, formatPercent, formatSmall } from '../../core/text/format.ts';
import type { Verification } from '../../pipeline/verify.ts';
import { logHistogram } from '../drawing/histogram.ts';
import { xyChart } from '../drawing/mermaid.ts';
import { coordinate, marker, PLOT_X, PLOT_Y, plot } from '../drawing/plot.ts';
import { linearScale, logScale } from '../drawing/scale.ts';
import { html } from '../markup.ts';
import type { Panel } from '../panel.ts';

/** How the divergence of single positions spreads over magnitudes. */
export function kldHistogramPanel({ positions, kld }: Pick<Verification, 'positions' | 'kld'>): Panel {
  const { bins, below, infinite } = logHistogram(positions.map((position) => position.kld));
  const title = 'Divergence of positions';
  const rows = [
    ...(below > 0 ? [['equal but for rounding', below] as const] : []),
    ...bins.map(({ from, to, count }) => [`${formatSmall(from)} to ${formatSmall(to)}`, count] as const),
    ...(infinite > 0 ? [['not finite', infinite] as const] : []),
  ];
  const aside = [
    ...(below > 0 ? [`${formatCount(below)} positions below 1e-9 are not drawn.`] : []),
    ...(infinite > 0 ? [`${formatCount(infinite)} positions that are not finite are not drawn.`] : []),
  ];
  const panel: Panel = {
    title,
    note: ['KL(source || artifact) in nats per token, on a logarithmic axis.', ...aside].join(' '),
    table: {
      columns: [
        { header: 'KLD' },
        { header: 'positions', align: 'right' },
        { header: 'share', align: 'right' },
      ],
      rows: rows.map(([name, count]) => [name, formatCount(count), formatPercent(count / positions.length)]),
    },
  };
  if (bins.length === 0) return panel;
  const x = logScale([bins[0]!.from, bins.at(-1)!.to], PLOT_X);
  // The names of the markers stand above the bars.
  const y = linearScale([0, 1.3 * Math.max(...bins.map(({ count }) => count))], PLOT_Y);
  const bars = bins.map(({ from, to, count }) => {
    const [left, right, top] = [x.at(from) + 1, x.at(to) - 1, y.at(count)];
    const what = `${formatSmall(from)} to ${formatSmall(to)}: ${formatCounted(count, 'position')}`;
    return html`<rect class="artifact" x="${coordinate(left)}" y="${coordinate(top)}" width="${coordinate(right - left)}" height="${coordinate(PLOT_Y[0] - top)}"><title>${what}</title></rect>`;
  });
  const markers = (['median', 'mean', 'p99'] as const)
    .filter((name) => Number.isFinite(kld[name]) && kld[name] >= bins[0]!.from)
    .map((name, index) => marker(`${name} ${formatSmall(kld[name])}`, x.at(kld[name]), index));
  return {
    ...panel,
    figure: plot(
      'Histogram of the divergence of positions',
      { label: 'KLD (nats)', scale: x },
      { label: 'positions', scale: y, format: formatCount },
      [...bars, ...markers],
    ),
    chart: xyChart({
      title: 'Positions by KLD',
      x: bins.map(({ from }) => formatSmall(Number(from.toPrecision(2)))),
      y: { label: 'positions', from: 0, to: Math.max(...bins.map(({ count }) => count)) },
      kind: 'bar',
      values: bins.map(({ count }) => count),
    }),
  };
}
