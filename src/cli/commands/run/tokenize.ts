import { Command } from 'commander';
import { withSource } from '../../../pipeline/sources/open.ts';
import { Tokenizer } from '../../../tokenizer/tokenizer.ts';
import { helpText } from '../../help-text.ts';
import type { OpenSession } from '../../session.ts';
import { renderTable } from '../../ui/terminal/table.ts';
import { tokenText } from '../../ui/token-text.ts';
import { sourceArgument } from '../flags/input-flags.ts';

const HELP = `
Of a model on the Hub, only headers and the tokenizer are read.

Examples:
  plmpress tokenize checkpoint/ "Call me"
  plmpress tokenize checkpoint/ "<|im_start|>user" --special --json`;

export function tokenizeCommand(open: OpenSession): Command {
  return new Command('tokenize')
    .description('encode text as token ids')
    .addArgument(sourceArgument())
    .argument('<text>', 'text to encode')
    .option('--special', 'encode special tokens in the text, such as <|im_start|>, as such')
    .addHelpText('after', helpText(HELP))
    .action(async (source: string, text: string, { special = false }: { special?: boolean }) => {
      const session = open();
      const tokenizer = await withSource(source, async (model) => new Tokenizer(model.tokenizer), {
        ...session.access,
        remote: true,
      });
      const ids = tokenizer.encode(text, { special });
      if (session.json) await session.writeJson({ ids });
      else await session.writeLines(table(tokenizer, ids, session.theme.dim));
    });
}

function table(tokenizer: Tokenizer, ids: readonly number[], dim: (line: string) => string): string[] {
  const rows = ids.map((id) => [String(id), tokenText(tokenizer, id)]);
  return renderTable([{ header: 'id', align: 'right' }, { header: 'token' }], rows, dim);
}
