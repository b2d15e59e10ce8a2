import { Command } from 'commander';
import { usage } from '../../../core/errors.ts';
import { formatBytes, formatCount, formatCounted } from '../../../core/text/format.ts';
import { parseHubSource } from '../../../hub/hub-source.ts';
import { hubSettings } from '../../../hub/settings.ts';
import { type Pull, pull } from '../../../pipeline/pull.ts';
import { helpText } from '../../help-text.ts';
import { ScopedOption } from '../../scoped-option.ts';
import type { OpenSession } from '../../session.ts';
import { renderTable } from '../../ui/terminal/table.ts';
import type { Theme } from '../../ui/terminal/theme.ts';

interface PullFlags {
  readonly output?: string;
  readonly force?: boolean;
  readonly all?: boolean;
  readonly dryRun?: boolean;
}

const HELP = `
An id is org/name, org/name@revision, or hf://org/name@revision/path for one of several models in a repository.
org/name:Q4_K_M selects the GGUF of that quantization. The URL of a page of the Hub is an id as well.

Of a checkpoint, only config, tokenizer and weights are downloaded. Every file must have the size and hash that the Hub
lists. A download that breaks off continues where it stopped, also in a later run. The cache is the one of
huggingface_hub.

HF_TOKEN, HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE and HF_HUB_DOWNLOAD_TIMEOUT mean what they mean for
huggingface_hub. Offline, no request is made. The token is sent to the endpoint and to no other server.

Examples:
  plmpress pull PLM-Team/PLM-1.8B-Instruct
  plmpress pull PLM-Team/PLM-1.8B-Instruct@main -o checkpoint/`;

export function pullCommand(open: OpenSession): Command {
  return new Command('pull')
    .description('download a model from the Hugging Face Hub and verify it')
    .argument('<id>', 'Hub id: org/name[@revision]')
    .option('-o, --output <dir>', 'folder for the files; default: the cache')
    .option('--all', 'download all files, not only those that the model needs')
    .option('--dry-run', 'list the files and download nothing')
    .addOption(
      new ScopedOption('--force', 'replace files in the folder whose content differs')
        .needs('--output')
        .idleWith('--dry-run'),
    )
    .addHelpText('after', helpText(HELP))
    .action(async (id: string, flags: PullFlags) => {
      const session = open();
      const { env, signal, progress } = session;
      const source = parseHubSource(id, env.HF_ENDPOINT);
      if (source === undefined)
        throw usage(`${JSON.stringify(id)} is not a repository`, 'org/name[@revision]');
      const result = await pull({ ...flags, source, settings: hubSettings(env), signal, progress });
      if (session.json) await session.writeJson(result);
      else if (!session.quiet) await session.writeLines(describe(result, flags, session.theme));
    });
}

function describe(
  { repository, revision, folder, files }: Pull,
  { dryRun }: PullFlags,
  theme: Theme,
): string[] {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const rows = files.map(({ path, bytes, oid }) => [path, formatCount(bytes), oid?.slice(0, 16) ?? '']);
  const isVerified = files.every(({ oid }) => oid !== undefined);
  return [
    `${repository} at ${revision}`,
    '',
    ...renderTable(
      [{ header: 'file' }, { header: 'bytes', align: 'right' }, { header: 'hash' }],
      rows,
      theme.dim,
    ),
    '',
    dryRun
      ? `${formatCounted(files.length, 'file')} of ${formatBytes(total)}; nothing downloaded (--dry-run)`
      : `${theme.good(isVerified ? 'verified' : 'found')} ${formatCounted(files.length, 'file')} of ${formatBytes(total)} in ${folder}`,
  ];
}
