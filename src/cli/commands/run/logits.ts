import { Command } from 'commander';
import type { Model } from '../../../core/model.ts';
import { type FfnForm, logits } from '../../../pipeline/logits.ts';
import { withSource } from '../../../pipeline/sources/open.ts';
import { Tokenizer } from '../../../tokenizer/tokenizer.ts';
import { parseIds } from '../../arguments.ts';
import { helpText } from '../../help-text.ts';
import type { OpenSession, Session } from '../../session.ts';
import { jsonFloats } from '../../ui/json-floats.ts';
import { renderTable } from '../../ui/terminal/table.ts';
import { tokenText } from '../../ui/token-text.ts';
import { sourceArgument } from '../flags/input-flags.ts';
import { attentionOption, ffnOption, type RuntimeFlags, threadsOption } from '../flags/runtime-flags.ts';

interface LogitsFlags extends RuntimeFlags {
  readonly ids: number[];
  readonly ffn: FfnForm;
}

const TOP = 5;

const HELP = `
Use it to compare other runtimes with the reference runtime, whose logits these are, as f32.

Examples:
  plmpress logits checkpoint/ --ids 1,2,3
  plmpress logits out/ --ids 1,2,3 --attention expanded --json`;

export function logitsCommand(open: OpenSession): Command {
  return new Command('logits')
    .description('print the logits after each token: of the likeliest tokens, or all with --json')
    .addArgument(sourceArgument())
    .requiredOption('--ids <ids>', 'token ids, separated by commas: 1,2,3', parseIds)
    .addOption(attentionOption())
    .addOption(ffnOption())
    .addOption(threadsOption())
    .addHelpText('after', helpText(HELP))
    .action(async (source: string, { ids, ...runtime }: LogitsFlags) => {
      const session = open();
      const write = async (model: Model) => {
        const rows = logits(model, ids, { ...runtime, signal: session.signal, progress: session.progress });
        if (session.json) await writeJson(session, ids, rows);
        else await writeTable(session, ids, rows, new Tokenizer(model.tokenizer));
      };
      await withSource(source, write, session.access);
    });
}

/** Row by row: the logits of a long text are larger than a string can be. */
async function writeJson(
  session: Session,
  ids: readonly number[],
  rows: AsyncIterable<Float32Array>,
): Promise<void> {
  let separator = `{"ids": ${JSON.stringify(ids)}, "logits": [\n`;
  for await (const row of rows) {
    session.endProgress();
    await session.writeJsonText(separator);
    for (const part of jsonFloats(row)) await session.writeJsonText(part);
    if (session.out.closed) return;
    separator = ',\n';
  }
  await session.writeJsonText('\n]}\n');
}

async function writeTable(
  session: Session,
  ids: readonly number[],
  rows: AsyncIterable<Float32Array>,
  tokenizer: Tokenizer,
): Promise<void> {
  const textOf = (id: number) => tokenText(tokenizer, id);
  const lines: string[][] = [];
  for await (const row of rows) {
    const position = lines.length;
    const top = likeliest(row).map((id) => `${row[id]!.toFixed(2)} ${id} ${textOf(id)}`);
    lines.push([String(position), String(ids[position]!), textOf(ids[position]!), ...top]);
  }
  const ranks = Array.from({ length: TOP }, (_, rank) => ({ header: `#${rank + 1} logit, id, token` }));
  const columns = [
    { header: 'position', align: 'right' as const },
    { header: 'id', align: 'right' as const },
    { header: 'token' },
  ];
  await session.writeLines(renderTable([...columns, ...ranks], lines, session.theme.dim));
}

/** Ids of the largest logits, largest first; of equal ones the lower id. */
function likeliest(row: Float32Array): number[] {
  const top: number[] = [];
  for (const [id, logit] of row.entries()) {
    if (top.length === TOP && logit <= row[top.at(-1)!]!) continue;
    const place = top.findIndex((other) => logit > row[other]!);
    top.splice(place < 0 ? top.length : place, 0, id);
    top.length = Math.min(top.length, TOP);
  }
  return top;
}
