import { formatCount, formatPercent, formatSmall } from '../../core/text/format.ts';
import type { SweepPoint } from '../../pipeline/sweep.ts';
import { type Column, renderTable } from './terminal/table.ts';
import type { Theme } from './terminal/theme.ts';

/** One line per size. */
export function sweepTable(points: readonly SweepPoint[], theme: Theme): string[] {
  const hasWidths = points.some(({ allocation }) => allocation.ffnWidth !== undefined);
  const columns: Column[] = [
    { header: 'at most', align: 'right' },
    { header: 'bytes', align: 'right' },
    { header: 'mean KLD', align: 'right' },
    { header: 'top-1', align: 'right' },
    { header: 'predicted', align: 'right' },
    ...(hasWidths ? [{ header: 'FFN width', align: 'right' as const }] : []),
    { header: 'matrices' },
  ];
  const rows = points.map(({ targetBytes, allocation, comparison }) => [
    formatCount(targetBytes),
    formatCount(allocation.bytes),
    formatSmall(comparison.kld.mean),
    formatPercent(comparison.top1),
    formatSmall(allocation.predictedKld),
    ...(hasWidths
      ? [allocation.ffnWidth === undefined ? 'unchanged' : formatCount(allocation.ffnWidth)]
      : []),
    mixOf(allocation.tensors.map(({ scheme }) => scheme)),
  ]);
  return renderTable(columns, rows, theme.dim);
}

/** How many matrices have each scheme. */
function mixOf(schemes: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const scheme of schemes.toSorted()) counts.set(scheme, (counts.get(scheme) ?? 0) + 1);
  return [...counts].map(([scheme, count]) => `${count} ${scheme}`).join(', ');
}
