import type { Change } from '../../core/model.ts';
import { formatCount, formatSmall } from '../../core/text/format.ts';
import { renderTable } from './terminal/table.ts';
import type { Theme } from './terminal/theme.ts';

/** The effect of prune-ffn, one line per layer; no lines if it has not run. */
export function pruningTable(changes: readonly Change[], theme: Theme): string[] {
  const rows = changes.flatMap(({ pass, subject, to, figures }) => {
    if (pass !== 'prune-ffn' || figures === undefined) return [];
    const { neurons, removed, firingRate, removedRateBound, predictedError, measuredError } = figures;
    return [
      [
        /\d+/.exec(subject)?.[0] ?? subject,
        formatCount(neurons!),
        formatCount(removed!),
        percent(firingRate!),
        percent(removedRateBound!),
        formatSmall(predictedError!),
        measuredError === undefined ? '' : formatSmall(measuredError),
        to,
      ],
    ];
  });
  if (rows.length === 0) return [];
  const columns = [
    'layer',
    'neurons',
    'removed',
    'firing',
    'removed fire at most (95 %)',
    'predicted error',
    'measured error',
  ];
  return renderTable(
    [...columns.map((header) => ({ header, align: 'right' as const })), { header: 'left' }],
    rows,
    theme.dim,
  );
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
