import { Command } from 'commander';
import { PASSES } from '../../passes/index.ts';
import type { PassOptions } from '../../passes/pass.ts';
import type { OpenSession } from '../program.ts';
import { renderTable } from '../ui/table.ts';

export function passesCommand(open: OpenSession): Command {
  return new Command('passes')
    .description('list the passes: rewrites of a model that keep what it computes')
    .action(async () => {
      const session = open();
      const passes = PASSES.map(({ name, summary, defaults }) => ({ name, summary, options: defaults }));
      if (session.json) return session.writeJson({ passes });
      const rows = passes.map(({ name, summary, options }) => [name, printOptions(options), summary]);
      await session.writeLines(
        renderTable(
          [{ header: 'pass' }, { header: 'options' }, { header: 'what it does' }],
          rows,
          session.theme.dim,
        ),
      );
    });
}

function printOptions(options: PassOptions): string {
  return Object.entries(options)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}
