import { Command } from 'commander';
import { printable } from '../../core/errors.ts';
import { diff, type FieldDifference, type ModelDiff, type TensorDifference } from '../../pipeline/diff.ts';
import { withSource } from '../../pipeline/open.ts';
import type { OpenSession } from '../program.ts';
import { formatSmall } from '../ui/format.ts';
import { renderTable } from '../ui/table.ts';
import type { Theme } from '../ui/theme.ts';
import { threadsOption } from './runtime-flags.ts';

export function diffCommand(open: OpenSession): Command {
  return new Command('diff')
    .description('say what differs between two models: geometry, tokenizer, metadata, every tensor')
    .argument('<a>', 'checkpoint folder, .gguf file or artifact folder')
    .argument('<b>', 'another one')
    .addOption(threadsOption())
    .action(async (a: string, b: string, { threads }: { threads: number }) => {
      const session = open();
      const { signal, progress } = session;
      const result = await withSource(a, (first) =>
        withSource(b, (second) => diff(first, second, { threads, signal, progress })),
      );
      if (session.json) await session.writeJson(result);
      else await session.writeLines(describe(result, session.theme));
    });
}

function describe({ same, fields, tensors, equalTensors }: ModelDiff, theme: Theme): string[] {
  if (same) return [theme.good('the same'), `${equalTensors} tensors are equal, weight by weight`];
  return [
    ...fieldTable(fields, theme),
    ...tensorTable(tensors, theme),
    `${tensors.length} tensors differ, ${equalTensors} are equal in scheme and weights`,
  ];
}

/** Values are text of models: they may be long and hostile. */
const SHOWN = 40;

function show(value: unknown): string {
  return value === undefined ? '-' : printable(JSON.stringify(value), SHOWN);
}

function fieldTable(fields: readonly FieldDifference[], theme: Theme): string[] {
  if (fields.length === 0) return [];
  const rows = fields.map(({ field, a, b, more }) => [
    more === undefined ? field : `${field} and ${more} more`,
    show(a),
    show(b),
  ]);
  return [...renderTable([{ header: 'field' }, { header: 'a' }, { header: 'b' }], rows, theme.dim), ''];
}

function tensorTable(tensors: readonly TensorDifference[], theme: Theme): string[] {
  if (tensors.length === 0) return [];
  const layout = (side: TensorDifference['a']) =>
    side === undefined ? '-' : `${side.scheme} ${side.shape.join(' x ')}`;
  const rows = tensors.map(({ name, a, b, error }) => [
    name,
    layout(a),
    layout(b),
    error === undefined ? '-' : formatSmall(error.relativeRms),
    error === undefined ? '-' : formatSmall(error.maxAbs),
  ]);
  const columns = [
    ...[{ header: 'tensor' }, { header: 'a' }, { header: 'b' }],
    { header: 'relative RMS error', align: 'right' as const },
    { header: 'largest error', align: 'right' as const },
  ];
  return [...renderTable(columns, rows, theme.dim), ''];
}
