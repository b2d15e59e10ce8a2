import { Command } from 'commander';
import type { Change, Model } from '../../../core/model.ts';
import { formatCount, formatCounted, formatSmall, visible } from '../../../core/text/format.ts';
import { recordedArtifact } from '../../../pipeline/artifacts/recorded-artifact.ts';
import { diff, type FieldDifference, type ModelDiff, type TensorDifference } from '../../../pipeline/diff.ts';
import { withSource } from '../../../pipeline/sources/open.ts';
import { helpText } from '../../help-text.ts';
import type { OpenSession } from '../../session.ts';
import { renderTable } from '../../ui/terminal/table.ts';
import type { Theme } from '../../ui/terminal/theme.ts';
import { sourceArgument } from '../flags/input-flags.ts';
import { threadsOption } from '../flags/runtime-flags.ts';

const HELP = `
Every weight is compared, decoded if the schemes differ. A kv_b is also compared with the k_b and v_b that some artifacts
store in its place. Errors are those of b, measured against a.

Examples:
  plmpress diff checkpoint/ out/
  plmpress diff checkpoint/ PLM-Team/PLM-1.8B-Instruct --json`;

export function diffCommand(open: OpenSession): Command {
  return new Command('diff')
    .description('compare two models: geometry, tokenizer, metadata, tensors, recorded passes')
    .addArgument(sourceArgument('a'))
    .addArgument(sourceArgument('b'))
    .addOption(threadsOption())
    .addHelpText('after', helpText(HELP))
    .action(async (a: string, b: string, { threads }: { threads?: number }) => {
      const session = open();
      const { signal, progress } = session;
      const { result, changes } = await withSource(
        a,
        (first, placeA) =>
          withSource(
            b,
            async (second, placeB) => ({
              result: await diff(first, second, { threads, signal, progress }),
              changes: { a: await changesOf(placeA, first), b: await changesOf(placeB, second) },
            }),
            session.access,
          ),
        session.access,
      );
      if (session.json) await session.writeJson({ ...result, changes });
      else {
        await session.writeLines([
          ...describe(result, session.theme),
          ...changeTable('a', changes.a, session.theme),
          ...changeTable('b', changes.b, session.theme),
        ]);
      }
    });
}

const are = (count: number) => (count === 1 ? 'is' : 'are');

function describe({ same, fields, tensors, equalTensors }: ModelDiff, theme: Theme): string[] {
  if (same)
    return [
      theme.good('the same'),
      `${formatCounted(equalTensors, 'tensor')} ${are(equalTensors)} equal, weight by weight`,
    ];
  return [
    ...fieldTable(fields, theme),
    ...tensorTable(tensors, theme),
    `${formatCounted(tensors.length, 'tensor')} ${tensors.length === 1 ? 'differs' : 'differ'}, ${formatCount(equalTensors)} ${are(equalTensors)} equal in scheme and weights`,
  ];
}

/** The changes by passes that plmpress.json records for an artifact. */
async function changesOf(spec: string | undefined, model: Model): Promise<readonly Change[]> {
  return (await recordedArtifact(spec, model))?.changes ?? [];
}

function changeTable(side: string, changes: readonly Change[], theme: Theme): string[] {
  if (changes.length === 0) return [];
  const rows = changes.map(({ pass, subject, from, to }) => [
    pass,
    ...[subject, from, to].map((text) => visible(text.slice(0, MAX_CHANGE))),
  ]);
  const columns = [`pass of ${side}`, 'changed', 'from', 'to'].map((header) => ({ header }));
  return ['', ...renderTable(columns, rows, theme.dim)];
}

/** Values are text of models: they may be long and hostile. */
const SHOWN = 40;
const MAX_CHANGE = 80;

function show(value: unknown): string {
  const text = value === undefined ? '-' : JSON.stringify(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
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
