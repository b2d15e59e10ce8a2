import { Command } from 'commander';
import { PressError } from '../../../core/errors.ts';
import { formatCount, formatCounted } from '../../../core/text/format.ts';
import { firstNames } from '../../../core/text/name-list.ts';
import { type ReproducedArtifact, reproduce } from '../../../pipeline/reproduce.ts';
import { VERSION } from '../../../pipeline/version.ts';
import { collect } from '../../arguments.ts';
import { helpText } from '../../help-text.ts';
import type { OpenSession, Session } from '../../session.ts';
import { renderTable } from '../../ui/terminal/table.ts';
import type { Theme } from '../../ui/terminal/theme.ts';
import { type RecordedFlags, recordedPaths, withRecordedOptions } from '../flags/recorded-flags.ts';
import { threadsOption } from '../flags/runtime-flags.ts';

interface ReproduceFlags extends RecordedFlags {
  readonly only?: string[];
  readonly output?: string;
  readonly threads?: number;
}

const HELP = `
Source, importance matrix, statistics and adapters must have the hashes that plmpress.json records. Exit code 6 means that
one of them has another hash, or that a file came out different; then the tensors that differ are named. Without -o, the
new files are deleted after the comparison.

Examples:
  plmpress reproduce out/plmpress.json --from checkpoint/
  plmpress reproduce out/ --from checkpoint/ -o again/`;

export function reproduceCommand(open: OpenSession): Command {
  const command = new Command('reproduce')
    .description('convert again as plmpress.json records, and compare the bytes')
    .argument('<manifest>', 'plmpress.json, or its folder');
  return withRecordedOptions(command)
    .option('--only <file>', 'artifact to reproduce, by one of its files; repeatable; default: all', collect)
    .option('-o, --output <dir>', 'folder to keep the new artifacts in')
    .addOption(threadsOption())
    .addHelpText('after', helpText(HELP))
    .action((manifest: string, flags: ReproduceFlags) => run(open(), manifest, flags));
}

async function run(session: Session, manifest: string, flags: ReproduceFlags): Promise<void> {
  const { only, output, threads } = flags;
  const { signal, progress } = session;
  const artifacts = await reproduce({
    ...recordedPaths(flags),
    access: session.access,
    manifest,
    threads,
    signal,
    progress,
    ...(only && { only }),
    ...(output !== undefined && { output }),
  });
  for (const { target, version } of artifacts) {
    if (version !== VERSION) session.note(`${target} was made by plmpress ${version}, this is ${VERSION}`);
  }
  const same = artifacts.every((artifact) => artifact.same);
  if (session.json) await session.writeJson({ same, artifacts });
  else if (!session.quiet) await session.writeLines(reproductionLines(artifacts, session.theme));
  const other = artifacts.find((artifact) => !artifact.same);
  if (other !== undefined) await session.fail(difference(other));
}

function reproductionLines(artifacts: readonly ReproducedArtifact[], theme: Theme): string[] {
  const rows = artifacts.flatMap(({ files, more }) => [
    ...files.map(({ path, bytes, sha256, again, same }) => [
      ...[path, formatCount(bytes), sha256.slice(0, 16)],
      same ? 'same' : again === undefined ? 'not made any more' : `${again.sha256.slice(0, 16)}, other bytes`,
    ]),
    ...more.map((path) => [path, '', '', 'not in the manifest']),
  ]);
  const columns = [
    { header: 'file' },
    { header: 'bytes', align: 'right' as const },
    { header: 'SHA-256' },
    { header: 'again' },
  ];
  const count = artifacts.reduce((sum, { files }) => sum + files.length, 0);
  const verdict = artifacts.every(({ same }) => same)
    ? `${theme.good('reproduced')}: the bytes of ${formatCounted(count, 'file')} are equal`
    : `${theme.bad('not reproduced')}`;
  return [...renderTable(columns, rows, theme.dim), '', verdict];
}

/** The first file of an artifact that came out otherwise. */
function difference({ target, files, more, tensors }: ReproducedArtifact): PressError {
  const file = files.find(({ same }) => !same)?.path ?? more[0]!;
  const what = tensors.length === 0 ? 'all tensors are equal' : `different tensors: ${firstNames(tensors)}`;
  return new PressError('verification', { file, what: `${target} came out different; ${what}` });
}
