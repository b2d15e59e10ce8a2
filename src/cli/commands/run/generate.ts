import { Command } from 'commander';
import { formatCounted, formatRate, visible } from '../../../core/text/format.ts';
import { type FfnForm, type Generation, generate, type SamplerOptions } from '../../../pipeline/generate.ts';
import { withSource } from '../../../pipeline/sources/open.ts';
import { parseInteger, parseNumber } from '../../arguments.ts';
import { helpText } from '../../help-text.ts';
import { ScopedOption } from '../../scoped-option.ts';
import type { OpenSession, Session } from '../../session.ts';
import { sourceArgument } from '../flags/input-flags.ts';
import { attentionOption, ffnOption, type RuntimeFlags, threadsOption } from '../flags/runtime-flags.ts';

interface GenerateFlags extends RuntimeFlags, Omit<SamplerOptions, 'minP' | 'repetitionPenalty'> {
  readonly prompt: string;
  readonly ffn: FfnForm;
  readonly tokens: number;
}

const DEFAULT_TOKENS = 128;
const GREEDY = ['--temperature 0', 'it always takes the likeliest token'] as const;

const HELP = `
Text is printed as it is generated. Sampling options that are not given come from the generation config of the model. If it
has none, the likeliest token is taken.

Examples:
  plmpress generate out/ --prompt "Call me" -n 32 --temperature 0
  plmpress generate checkpoint/ --prompt "Once" --seed 7 --ffn sparse`;

export function generateCommand(open: OpenSession): Command {
  return new Command('generate')
    .description('continue a prompt with the reference runtime')
    .addArgument(sourceArgument())
    .requiredOption('--prompt <text>', 'text to continue; may contain special tokens, such as <|im_start|>')
    .option('-n, --tokens <n>', 'maximum number of tokens to generate', parseInteger(1), DEFAULT_TOKENS)
    .optionsGroup('Sampling:')
    .option('--temperature <t>', 'sampling temperature; 0: greedy; default: from the model', parseNumber(0))
    .addOption(
      new ScopedOption('--seed <s>', 'seed of the sampling; default: 0')
        .argParser(parseInteger(0))
        .notWith(...GREEDY),
    )
    .addOption(
      new ScopedOption('--top-k <k>', 'sample from the k likeliest tokens; default: from the model')
        .argParser(parseInteger(0))
        .notWith(...GREEDY),
    )
    .addOption(
      new ScopedOption(
        '--top-p <p>',
        'sample from the likeliest tokens of total probability p; default: from the model',
      )
        .argParser(parseNumber(0, 1))
        .notWith(...GREEDY),
    )
    .optionsGroup('Run:')
    .addOption(attentionOption())
    .addOption(ffnOption())
    .addOption(threadsOption())
    .addHelpText('after', helpText(HELP))
    .action(async (source: string, flags: GenerateFlags) => {
      const session = open();
      const { prompt, tokens: maxTokens, attention, ffn, threads, ...sampler } = flags;
      const { signal, progress } = session;
      const generation = await withSource(
        source,
        (model) =>
          generate(model, {
            prompt,
            maxTokens,
            sampler,
            attention,
            ffn,
            threads,
            signal,
            progress,
            ...(!session.json && { onText: (text) => writeText(session, text) }),
          }),
        session.access,
      );
      if (session.json) await session.writeJson(generation);
      else await finish(session, generation);
    });
}

async function writeText(session: Session, text: string): Promise<boolean> {
  session.endProgress();
  // A file gets the text as it is; a terminal must not obey it.
  await session.out.write(
    session.out.isTty
      ? text
          .split(/([\n\t])/)
          .map(visibleLine)
          .join('')
      : text,
  );
  return !session.out.closed;
}

function visibleLine(part: string): string {
  return part === '\n' || part === '\t' ? part : visible(part);
}

async function finish(session: Session, generation: Generation): Promise<void> {
  const { ids, stopReason, tokensPerSecond, kvBytesPerToken, ffnReadShare } = generation;
  const read = `${(100 * ffnReadShare).toFixed(1)} % of the FFN's weights`;
  await session.writeLines(['']);
  const rate = formatRate(tokensPerSecond);
  const speed = rate === undefined ? '' : ` ${rate} tokens/s,`;
  session.note(`${formatCounted(ids.length, 'token')},${speed} ended by ${stopReason}`);
  session.note(`per token: ${formatCounted(kvBytesPerToken, 'byte')} of KV cache, ${read}`);
}
