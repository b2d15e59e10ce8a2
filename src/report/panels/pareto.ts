import { formatBytes, formatCount, formatPercent, formatSmall } from '../../core/text/format.ts';
import type { SweepPoint } from '../../pipeline/sweep.ts';
import { xyChart } from '../drawing/mermaid.ts';
import { coordinate, PLOT_X, PLOT_Y, plot } from '../drawing/plot.ts';
import { linearScale, logScale } from '../drawing/scale.ts';
import { html } from '../markup.ts';
import type { Panel } from '../panel.ts';

/** Divergence by size. Points that another point beats in both are hollow. */
export function paretoPanel(points: readonly SweepPoint[]): Panel {
  const known = points.map(({ targetBytes, allocation, comparison }) => ({
    targetBytes,
    bytes: allocation.bytes,
    kld: comparison.kld.mean,
    top1: comparison.top1,
    predicted: allocation.predictedKld,
    width: allocation.ffnWidth,
  }));
  const ordered = known.toSorted((a, b) => a.bytes - b.bytes || a.kld - b.kld);
  const drawn = ordered.filter(({ kld }) => kld > 0 && Number.isFinite(kld));
  const frontier = drawn.filter((point, index) => drawn.slice(0, index).every(({ kld }) => kld > point.kld));
  const hasWidths = known.some(({ width }) => width !== undefined);
  const panel: Panel = {
    title: 'Bytes against divergence',
    note: 'Mean KLD from the source over the text for judging, on a logarithmic axis. Left and low is better.',
    table: {
      columns: [
        { header: 'at most', align: 'right' },
        { header: 'bytes', align: 'right' },
        { header: 'mean KLD', align: 'right' },
        { header: 'predicted', align: 'right' },
        { header: 'top-1', align: 'right' },
        ...(hasWidths ? [{ header: 'FFN width', align: 'right' as const }] : []),
      ],
      rows: ordered.map(({ targetBytes, bytes, kld, predicted, top1, width }) => [
        formatCount(targetBytes),
        formatCount(bytes),
        formatSmall(kld),
        formatSmall(predicted),
        formatPercent(top1),
        ...(hasWidths ? [width === undefined ? 'unchanged' : formatCount(width)] : []),
      ]),
    },
  };
  if (drawn.length === 0) return panel;
  const sizes = drawn.map(({ bytes }) => bytes);
  const klds = drawn.map(({ kld }) => kld);
  const logs = klds.map(Math.log10);
  const [smallest, largest] = [Math.min(...sizes), Math.max(...sizes)];
  const room = 0.08 * (largest - smallest || largest);
  const x = linearScale([smallest - room, largest + room], PLOT_X);
  const y = logScale([Math.min(...klds) / 1.5, Math.max(...klds) * 1.5], PLOT_Y);
  const path = frontier.map(({ bytes, kld }) => `${coordinate(x.at(bytes))} ${coordinate(y.at(kld))}`);
  const dots = drawn.map((point) => {
    const { bytes, kld } = point;
    const kind = frontier.includes(point) ? 'artifact' : 'hollow';
    return html`<circle class="${kind}" cx="${coordinate(x.at(bytes))}" cy="${coordinate(y.at(kld))}" r="4.5"><title>${formatCount(bytes)} bytes: mean KLD ${formatSmall(kld)}</title></circle>`;
  });
  return {
    ...panel,
    figure: plot(
      'Mean KLD by bytes',
      { label: 'bytes of the file', scale: x, format: formatBytes },
      { label: 'mean KLD (nats)', scale: y },
      [html`<path class="line" d="M${path.join('L')}"/>`, ...dots],
    ),
    chart: xyChart({
      title: 'Mean KLD by size',
      x: drawn.map(({ bytes }) => formatBytes(bytes)),
      y: {
        label: 'log10 of mean KLD',
        from: Math.floor(Math.min(...logs)),
        to: Math.ceil(Math.max(...logs)),
      },
      kind: 'line',
      values: logs,
    }),
  };
}
