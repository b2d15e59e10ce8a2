import { Command } from 'commander';
import { PASSES } from '../../../passes/index.ts';
import type { PassOptions } from '../../../passes/pass.ts';
import { PRESETS } from '../../../passes/presets.ts';
import { helpText } from '../../help-text.ts';
import type { OpenSession } from '../../session.ts';
import { renderTable } from '../../ui/terminal/table.ts';

const HELP = `
\`convert --pass\` runs a pass, with its options as name:key=value,key=value. docs/passes.md says what each pass is good for.

Examples:
  plmpress passes
  plmpress passes --json`;

export function passesCommand(open: OpenSession): Command {
  return new Command('passes')
    .description('list the passes that rewrite a model, and those that targets run by default')
    .addHelpText('after', helpText(HELP))
    .action(async () => {
      const session = open();
      const passes = PASSES.map(({ name, summary, defaults }) => ({ name, summary, options: defaults }));
      if (session.json) return session.writeJson({ passes, presets: PRESETS });
      const rows = passes.map(({ name, summary, options }) => [name, summary, printOptions(options)]);
      const { dim } = session.theme;
      const presets = Object.entries(PRESETS).map(([target, names]) => [target, names.join(', ')]);
      await session.writeLines([
        ...renderTable([{ header: 'pass' }, { header: 'what it does' }, { header: 'options' }], rows, dim),
        '',
        ...renderTable(
          [{ header: 'target' }, { header: 'passes run by default, if the model needs them' }],
          presets,
          dim,
        ),
      ]);
    });
}

function printOptions(options: PassOptions): string {
  return Object.entries(options)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}
