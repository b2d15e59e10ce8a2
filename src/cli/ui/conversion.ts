import { type PlannedFile, plannedBytes, plannedRows } from '../../core/export-plan.ts';
import type { Model } from '../../core/model.ts';
import { byteLength, columnCount } from '../../core/tensor.ts';
import {
  formatBytes,
  formatCount,
  formatCounted,
  formatSeconds,
  formatSmall,
  visible,
} from '../../core/text/format.ts';
import type { Allocation } from '../../pipeline/allocation/allocate.ts';
import type { ConvertResult } from '../../pipeline/convert.ts';
import type { Target } from '../../pipeline/planning/planned-target.ts';
import type { Manifest } from '../../pipeline/record/manifest.ts';
import { pruningTable } from './pruning.ts';
import { type Column, renderTable } from './terminal/table.ts';
import type { Theme } from './terminal/theme.ts';

/** The result of a conversion, or of a dry run. */
export interface Conversion {
  readonly model: Model;
  readonly targets: readonly Target[];
  /** Of all targets, in the order of their plans. */
  readonly files: ConvertResult['files'];
  /** Undefined after a dry run. */
  readonly manifest: Manifest | undefined;
  readonly seconds: number;
  readonly peakRss: number;
}

/** A table of the files and a line that sums up. */
export function conversionLines(conversion: Conversion, theme: Theme): string[] {
  const { targets, manifest } = conversion;
  const names = conversion.files.map(({ path }) => path).values();
  const rows = targets.flatMap((target) =>
    target.plan.files.map((file) => fileRow(names.next().value!, file, target, manifest)),
  );
  const columns: Column[] = [
    { header: 'file' },
    { header: 'size', align: 'right' },
    { header: 'bytes', align: 'right' },
    { header: 'bits per weight', align: 'right' },
    ...(manifest === undefined ? [] : [{ header: 'worst tensor error' }]),
  ];
  const table = renderTable(columns, rows, theme.dim);
  const pruning = pruningTable(targets[0]?.model.changes ?? [], theme);
  return [
    ...(pruning.length > 0 ? [...pruning, ''] : []),
    ...targets.flatMap(({ allocation }) => (allocation ? allocationLines(allocation, theme) : [])),
    ...table,
    '',
    summaryLine(conversion, theme),
  ];
}

/** Schemes that were chosen by size, those first that cost most. */
function allocationLines({ tensors, ...allocation }: Allocation, theme: Theme): string[] {
  const rows = tensors
    .toSorted((a, b) => b.cost - a.cost)
    .map(({ name, scheme, bytes, cost }) => [
      name,
      scheme,
      formatCount(bytes),
      formatSmall(cost),
      allocation.predictedKld > 0 ? `${((100 * cost) / allocation.predictedKld).toFixed(1)} %` : '',
    ]);
  const columns: Column[] = [
    { header: 'tensor' },
    { header: 'scheme' },
    { header: 'bytes', align: 'right' },
    { header: 'KLD alone', align: 'right' },
    { header: 'share', align: 'right' },
  ];
  const { predictedKld, measuredKld, tokens } = allocation;
  return [
    ...renderTable(columns, rows, theme.dim),
    `mean KLD ${formatSmall(predictedKld)} predicted, ${formatSmall(measuredKld)} measured over ${formatCounted(tokens, 'token')}`,
    '',
  ];
}

function fileRow(name: string, file: PlannedFile, target: Target, manifest: Manifest | undefined): string[] {
  const weights = file.tensors.reduce(
    (sum, tensor) => sum + plannedRows(tensor).count * columnCount(tensor.source),
    0,
  );
  const bits = (8 * file.tensors.reduce((sum, tensor) => sum + plannedBytes(tensor), 0)) / weights;
  return [
    name,
    formatBytes(file.bytes),
    formatCount(file.bytes),
    weights === 0 ? '' : bits.toFixed(2),
    ...(manifest === undefined ? [] : [worstError(name, file, target, manifest)]),
  ];
}

/** The largest relative RMS error of the file's tensors, and whose it is. */
function worstError(name: string, file: PlannedFile, { plan }: Target, manifest: Manifest): string {
  const artifact = manifest.artifacts.find(
    ({ target, files }) => target === plan.target && files.includes(name),
  );
  const names = new Set(file.tensors.map((tensor) => tensor.name));
  const tensors = artifact!.tensors.filter((tensor) => names.has(tensor.name));
  if (tensors.length === 0) return '';
  const worst = tensors.reduce((a, b) => (b.error.relativeRms > a.error.relativeRms ? b : a));
  const { relativeRms } = worst.error;
  return relativeRms === 0 ? 'none, all exact' : `${formatSmall(relativeRms)} in ${worst.name}`;
}

function summaryLine({ model, targets, manifest, seconds, peakRss }: Conversion, theme: Theme): string {
  const before = [...model.tensors.values()].reduce((sum, tensor) => sum + byteLength(tensor), 0);
  const files = targets.flatMap((target) => target.plan.files);
  const after = files.reduce((sum, file) => sum + file.bytes, 0);
  const share = targets.length === 1 ? ` (${((100 * after) / before).toFixed(0)} %)` : '';
  const sizes = `${formatBytes(before)} -> ${formatBytes(after)}${share} in ${formatCounted(files.length, 'file')}`;
  if (manifest === undefined)
    return `${theme.bold(visible(model.name, 80))}: ${sizes}, nothing written (--dry-run)`;
  const cost = `${formatSeconds(seconds)}, peak memory ${formatBytes(peakRss)}`;
  return `${theme.bold(visible(model.name, 80))}: ${sizes}, ${cost}`;
}

/** The part of a plan that a manifest would record. */
export function describePlan({ plan, options, passes }: Target) {
  return {
    target: plan.target,
    options,
    passes,
    fallbacks: plan.fallbacks,
    tensors: plan.files.flatMap(({ tensors }) =>
      tensors.map((tensor) => ({
        name: tensor.name,
        source: tensor.source.name,
        scheme: tensor.scheme,
        shape: tensor.source.shape,
        bytes: plannedBytes(tensor),
      })),
    ),
    files: plan.files.map((file) => file.name),
  };
}
