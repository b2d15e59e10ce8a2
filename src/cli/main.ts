import { CommanderError } from 'commander';
import type { RunConvert } from './commands/convert/convert.ts';
import { describeFailure, describeStack, type Failure } from './failure.ts';
import { listenForInterruption } from './interruption.ts';
import { buildProgram } from './program.ts';
import { type GlobalOptions, type Io, Session } from './session.ts';

export interface MainOptions {
  /** Runs the request of `convert`. */
  readonly runConvert?: RunConvert;
  /** Gets the failure that ends the run, after it has been printed. */
  readonly onFailure?: (failure: Failure) => void;
}

/**
 * Runs one command line, without the program's name, and returns its exit code (src/core/errors.ts; 130 and
 * 143 for signals). It changes nothing but standard streams and the outputs of the command.
 */
export async function main(
  argv: readonly string[],
  io: Io = process,
  { runConvert, onFailure = () => {} }: MainOptions = {},
): Promise<number> {
  const interruption = listenForInterruption();
  let session: Session | undefined;
  const openSession = () => {
    session ??= new Session(io, program.opts<GlobalOptions>(), interruption.signal);
    return session;
  };
  let help = '';
  const print = (text: string) => {
    help += text;
  };
  const program = buildProgram(io, openSession, print, runConvert);
  // A failed write to stdout also reaches its callback, and one to stderr cannot be reported anywhere.
  // Without a listener, the event would end the process.
  for (const stream of [io.stdout, io.stderr]) stream.on('error', () => {});
  try {
    if (argv.length === 0) await openSession().writeLines(shortHelp());
    else await program.parseAsync(argv, { from: 'user' }).catch(ignoreHelp);
    if (help !== '') await openSession().out.write(help);
    return openSession().exitCode;
  } catch (error) {
    const cause = interruption.signal.aborted ? interruption.signal.reason : error;
    const { debug } = program.opts<GlobalOptions>();
    const told = openSession();
    const failure = describeFailure(cause);
    await told.tell(failure, debug ? describeStack(cause) : undefined);
    onFailure(failure);
    return told.exitCode;
  } finally {
    interruption.dispose();
  }
}

/** Commander throws after it has printed help or the version. */
function ignoreHelp(error: unknown): void {
  if (!(error instanceof CommanderError && error.exitCode === 0)) throw error;
}

function shortHelp(): string[] {
  return [
    'plmpress converts PLM checkpoints to GGUF, ONNX and WebGPU,',
    'and checks each file against its source.',
    '',
    '  plmpress convert checkpoint/ --to gguf:q8_0 -o out/    convert to a GGUF file',
    '  plmpress verify out/ --against checkpoint/             check it against its source',
    '',
    '`plmpress --help` lists the commands, `plmpress <command> --help` explains one.',
  ];
}
