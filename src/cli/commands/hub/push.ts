import { Command, Option } from 'commander';
import { usage } from '../../../core/errors.ts';
import { formatBytes, formatCount, formatCounted } from '../../../core/text/format.ts';
import { parseHubSource } from '../../../hub/hub-source.ts';
import { hubSettings } from '../../../hub/settings.ts';
import { type Push, push } from '../../../pipeline/push.ts';
import { helpText } from '../../help-text.ts';
import { ScopedOption } from '../../scoped-option.ts';
import type { OpenSession } from '../../session.ts';
import { renderTable } from '../../ui/terminal/table.ts';
import type { Theme } from '../../ui/terminal/theme.ts';

interface PushFlags {
  readonly repo: string;
  readonly create?: 'public' | 'private';
  readonly pr?: boolean;
  readonly message?: string;
  readonly baseModel?: string;
  readonly dryRun?: boolean;
}

const HELP = `
One commit holds all files that plmpress.json lists, plmpress.json itself and a model card, so readers see the repository
either as it was or complete. Files are hashed first, and must be as \`plmpress convert\` has written them. Files that the
Hub has received are not sent again, so a second run continues an interrupted one.

The card has the metadata that the Hub reads (base_model, licence, tags), a table of the files, and how to run and
reproduce them; its figures come from \`convert --verify\`. A README.md in the folder is uploaded unchanged instead. A
README.md in the repository that people have written is kept.

HF_TOKEN, or the token that \`hf auth login\` has stored, must allow writing.

Examples:
  plmpress push out/ --repo me/plm-1.8b-gguf --create public
  plmpress push out/ --repo me/plm-1.8b-gguf --dry-run`;

export function pushCommand(open: OpenSession): Command {
  return new Command('push')
    .description('upload artifacts and a model card to the Hugging Face Hub in one commit')
    .argument('<dir>', 'folder that `plmpress convert` has written')
    .requiredOption('--repo <id>', 'repository to upload to: org/name[@branch]')
    .addOption(
      new Option('--create <visibility>', 'create the repository if it does not exist').choices([
        'public',
        'private',
      ]),
    )
    .addOption(
      new ScopedOption('--pr', 'open a pull request instead of changing the branch').idleWith('--dry-run'),
    )
    .option('--message <text>', 'commit message')
    .option('--base-model <id>', 'base model to name in the card, if the source was not on the Hub')
    .option('--dry-run', 'show the commit and the card and send nothing')
    .addHelpText('after', helpText(HELP))
    .action(async (folder: string, flags: PushFlags) => {
      const session = open();
      const { env, signal, progress } = session;
      const target = repositoryOf(flags.repo, env);
      const { create, pr, message, dryRun = false } = flags;
      const baseModel = flags.baseModel && repositoryOf(flags.baseModel, env).repository;
      const result = await push({
        folder,
        repository: target.repository,
        branch: target.revision,
        dryRun,
        pullRequest: pr === true,
        settings: hubSettings(env),
        signal,
        progress,
        ...(create && { create }),
        ...(message !== undefined && { message }),
        ...(baseModel && { baseModel }),
      });
      if (session.json) await session.writeJson(result);
      else if (!session.quiet) await session.writeLines(describe(result, session.theme));
      if (result.card === undefined)
        session.note('README.md of the repository is kept: plmpress did not write it');
      if (baseModel && !result.wroteCard) {
        session.note(
          '--base-model changes nothing: no card was written, because the repository or the folder has a README.md',
        );
      }
    });
}

function repositoryOf(id: string, { HF_ENDPOINT }: NodeJS.ProcessEnv) {
  const source = parseHubSource(id, HF_ENDPOINT);
  if (source && source.path === undefined && source.quantization === undefined) return source;
  throw usage(`${JSON.stringify(id)} is not a repository`, 'org/name');
}

function describe(result: Push, theme: Theme): string[] {
  const { repository, branch, message, files, card, upload } = result;
  const changed = new Set(upload?.changed.map(({ path }) => path));
  const rows = files.map(({ path, bytes }) => [
    path,
    formatCount(bytes),
    ...(upload === undefined ? [] : [changed.has(path) ? 'new' : 'unchanged']),
  ]);
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    ...renderTable(
      [
        { header: 'file' },
        { header: 'bytes', align: 'right' as const },
        ...(upload === undefined ? [] : [{ header: '' }]),
      ],
      rows,
      theme.dim,
    ),
    '',
    ...(upload === undefined
      ? [
          `would commit ${formatCounted(files.length, 'file')} of ${formatBytes(total)} to ${repository}@${branch}: ${message}`,
          ...(card === undefined ? [] : ['', ...card.trimEnd().split('\n')]),
        ]
      : [outcome(result, upload, theme)]),
  ];
}

function outcome({ repository }: Push, upload: NonNullable<Push['upload']>, theme: Theme): string {
  if (upload.changed.length === 0) return `${repository} already has all files, at ${upload.commit}`;
  const where = upload.pullRequestUrl ?? `${repository}@${upload.commit}`;
  return `${theme.good('pushed')} ${formatCounted(upload.changed.length, 'file')} to ${where}`;
}
