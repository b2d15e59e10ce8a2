import { Command } from 'commander';
import { formatCount } from '../../../core/text/format.ts';
import { merge } from '../../../pipeline/parts/merge.ts';
import { helpText } from '../../help-text.ts';
import { peakRss } from '../../peak-memory.ts';
import type { OpenSession, Session } from '../../session.ts';
import { renderTable } from '../../ui/terminal/table.ts';
import { type RecordedFlags, recordedPaths, withRecordedOptions } from '../flags/recorded-flags.ts';
import { threadsOption } from '../flags/runtime-flags.ts';

interface MergeFlags extends RecordedFlags {
  readonly output: string;
  readonly force?: boolean;
  readonly threads?: number;
}

const HELP = `
The result is what one \`convert\` without --part would write, byte for byte. Exit code 3 means that a part is missing. Exit
code 6 means that a part is damaged, or is of another source, version or set of options. The message names the part.

Examples:
  plmpress merge parts/* --from checkpoint/ -o out/
  plmpress merge parts/1 parts/2 --from checkpoint/ -o out/ --json`;

export function mergeCommand(open: OpenSession): Command {
  const command = new Command('merge')
    .description('merge the parts that `plmpress convert --part` has written')
    .argument('<dirs...>', 'folders of the parts of one conversion')
    .requiredOption('-o, --output <dir>', 'output folder');
  return withRecordedOptions(command)
    .option('--force', 'replace existing files')
    .addOption(threadsOption())
    .addHelpText('after', helpText(HELP))
    .action((parts: string[], flags: MergeFlags) => run(open(), parts, flags));
}

async function run(session: Session, parts: readonly string[], flags: MergeFlags): Promise<void> {
  const { output, force = false, threads } = flags;
  const { signal, progress } = session;
  const start = performance.now();
  const { files, manifest } = await merge({
    ...recordedPaths(flags),
    access: session.access,
    parts,
    output,
    force,
    threads,
    signal,
    progress,
  });
  if (session.json) {
    const seconds = (performance.now() - start) / 1000;
    await session.writeJson({ ...manifest, seconds, peakRss: peakRss() });
  } else if (!session.quiet) {
    const rows = files.map(({ path, bytes }) => [path, formatCount(bytes)]);
    await session.writeLines(
      renderTable([{ header: 'file' }, { header: 'bytes', align: 'right' }], rows, session.theme.dim),
    );
  }
}
