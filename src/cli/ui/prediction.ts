import { formatBytes, formatCount, formatSmall, visible } from '../../core/text/format.ts';
import type { Prediction } from '../../pipeline/plan/predict.ts';
import { type Column, renderTable } from './terminal/table.ts';
import type { Theme } from './terminal/theme.ts';

/** A table of targets, one of devices with their targets, and what the figures mean. */
export function predictionLines(prediction: Prediction, theme: Theme): string[] {
  const { name, context } = prediction;
  return [
    `${theme.bold(visible(name, 80))}, context ${formatCount(context)}`,
    '',
    ...targetTable(prediction, theme),
    '',
    ...deviceTable(prediction, theme),
    '',
    'Tokens per second are upper bounds from memory bandwidth, with an empty and with a full context.',
  ];
}

function targetTable({ targets }: Prediction, theme: Theme): string[] {
  const columns = [
    'file',
    'weights per token',
    'GFLOPs per token',
    'cache per token',
    'cache',
    'overhead',
    'peak memory',
  ];
  const rows = targets.map((cost) => [
    cost.target,
    formatBytes(cost.fileBytes),
    formatBytes(cost.weightBytes),
    `${formatSmall(cost.flopsPerToken.empty / 1e9)} -> ${formatSmall(cost.flopsPerToken.full / 1e9)}`,
    formatBytes(cost.kvBytesPerToken),
    formatBytes(cost.kvBytes),
    formatBytes(cost.overheadBytes),
    formatBytes(cost.peakBytes),
  ]);
  return renderTable([{ header: 'target' }, ...columns.map(figure)], rows, theme.dim);
}

function deviceTable({ targets, devices }: Prediction, theme: Theme): string[] {
  const rows = devices.flatMap((device, index) =>
    targets.map(({ target, peakBytes, devices: costs }) => {
      const { tokensPerSecond, usableBytes, fits } = costs[index]!;
      const { empty, full } = tokensPerSecond;
      return [
        device.name,
        target,
        formatRate(empty),
        formatRate(full),
        `${formatBytes(peakBytes)} of ${formatBytes(usableBytes)}`,
        fits ? 'yes' : 'NO',
      ];
    }),
  );
  const figures = ['tokens/s, empty', 'full', 'memory'].map(figure);
  return renderTable(
    [{ header: 'device' }, { header: 'target' }, ...figures, { header: 'fits' }],
    rows,
    theme.dim,
  );
}

function figure(header: string): Column {
  return { header, align: 'right' };
}

function formatRate(rate: number): string {
  return rate < 100 ? rate.toFixed(1) : formatCount(Math.round(rate));
}
