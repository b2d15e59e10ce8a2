import { Command } from 'commander';
import { bitsPerWeight, SCHEMES, type SchemeName } from '../../../core/scheme.ts';
import { helpText } from '../../help-text.ts';
import type { OpenSession } from '../../session.ts';
import { TARGETS, type TargetLine } from '../../targets.ts';
import { renderTable } from '../../ui/terminal/table.ts';
import type { Theme } from '../../ui/terminal/theme.ts';

const HELP = `
A target is a value of \`convert --to\`. A scheme is how a single tensor is stored.

Examples:
  plmpress schemes
  plmpress schemes --json`;

export function schemesCommand(open: OpenSession): Command {
  return new Command('schemes')
    .description('list the targets of `plmpress convert` and the storage schemes of tensors')
    .addHelpText('after', helpText(HELP))
    .action(async () => {
      const session = open();
      const schemes = (Object.keys(SCHEMES) as SchemeName[]).map(describeScheme);
      if (session.json) await session.writeJson({ targets: TARGETS, schemes });
      else await session.writeLines(tables(TARGETS, schemes, session.theme));
    });
}

function describeScheme(name: SchemeName) {
  const { ggmlType, blockSize, blockBytes, canEncode } = SCHEMES[name];
  return {
    name,
    ggmlType,
    bitsPerWeight: bitsPerWeight(name),
    blockSize,
    blockBytes,
    write: canEncode,
  };
}

function tables(
  targets: readonly TargetLine[],
  schemes: readonly ReturnType<typeof describeScheme>[],
  theme: Theme,
): string[] {
  const mark = (flag: boolean) => (flag ? 'yes' : '-');
  return [
    ...renderTable(
      [{ header: 'target' }, { header: 'what it writes' }],
      targets.map(({ target, summary }) => [target, summary]),
      theme.dim,
    ),
    '',
    'If several exceptions apply, the first one counts. Vectors, such as norms, are F32 in GGUF and WebGPU.',
    '',
    ...renderTable(
      [
        { header: 'scheme' },
        { header: 'ggml type', align: 'right' },
        { header: 'bits per weight', align: 'right' },
        { header: 'weights per block', align: 'right' },
        { header: 'bytes per block', align: 'right' },
        { header: 'write' },
      ],
      schemes.map((scheme) => [
        scheme.name,
        String(scheme.ggmlType),
        scheme.bitsPerWeight.toFixed(4),
        String(scheme.blockSize),
        String(scheme.blockBytes),
        mark(scheme.write),
      ]),
      theme.dim,
    ),
  ];
}
