import { Command, Option } from 'commander';
import { usage } from '../core/errors.ts';
import { VERSION } from '../pipeline/version.ts';
import { calibrateCommand } from './commands/convert/calibrate.ts';
import { convertCommand, type RunConvert } from './commands/convert/convert.ts';
import { reproduceCommand } from './commands/convert/reproduce.ts';
import { sweepCommand } from './commands/convert/sweep.ts';
import { verifyCommand } from './commands/convert/verify.ts';
import { pullCommand } from './commands/hub/pull.ts';
import { pushCommand } from './commands/hub/push.ts';
import { diffCommand } from './commands/look/diff.ts';
import { inspectCommand } from './commands/look/inspect.ts';
import { passesCommand } from './commands/look/passes.ts';
import { planCommand } from './commands/look/plan.ts';
import { schemesCommand } from './commands/look/schemes.ts';
import { generateCommand } from './commands/run/generate.ts';
import { logitsCommand } from './commands/run/logits.ts';
import { serveCommand } from './commands/run/serve.ts';
import { tokenizeCommand } from './commands/run/tokenize.ts';
import { completionCommand } from './commands/set-up/completion.ts';
import { doctorCommand } from './commands/set-up/doctor.ts';
import { matrixCommand } from './commands/split/matrix.ts';
import { mergeCommand } from './commands/split/merge.ts';
import { helpText } from './help-text.ts';
import type { OutputStream } from './output.ts';
import { assertPathsUsable } from './path-arguments.ts';
import { assertScopes } from './scoped-option.ts';
import type { Io, OpenSession } from './session.ts';

const HELP = `
Examples:
  plmpress inspect checkpoint/
  plmpress convert checkpoint/ --to gguf:q8_0 -o out/ --verify
  plmpress verify out/ --against checkpoint/ --text sample.txt
  plmpress generate out/ --prompt "Call me" -n 32 --temperature 0
  plmpress convert checkpoint/ --to webgpu:q4 -o page/
  plmpress serve page/

A source is a checkpoint folder, a .gguf file, a folder that \`plmpress convert\` has written, or a model on the Hugging
Face Hub: org/name[@revision].

Exit codes:
  0 done           3 invalid input    6 check failed           130 SIGINT
  1 a bug          4 local I/O        7 unsupported            143 SIGTERM
  2 usage          5 network          8 locked by another run`;

/**
 * The whole command line. Errors of parsing are thrown, never printed; `print` gets help and the version,
 * after which commander throws as well.
 */
export function buildProgram(
  io: Io,
  open: OpenSession,
  print: (text: string) => void,
  runConvert?: RunConvert,
): Command {
  const program = new Command('plmpress')
    .description('Convert PLM checkpoints to GGUF, ONNX and WebGPU, and check each file against its source.')
    .usage('<command> [options]')
    .version(VERSION, '-V, --version', 'print the version')
    .option('--json', 'print the result as one JSON document')
    .option('-q, --quiet', 'print no progress and no summary')
    .option('--debug', 'print the stack trace of an error')
    .option('--no-color', 'print without colours, as NO_COLOR does')
    .addHelpText('after', helpText(HELP))
    .commandsGroup('Convert:')
    .addCommand(convertCommand(open, runConvert))
    .addCommand(verifyCommand(open))
    .addCommand(calibrateCommand(open))
    .addCommand(sweepCommand(open))
    .addCommand(reproduceCommand(open))
    .commandsGroup('Hub:')
    .addCommand(pullCommand(open))
    .addCommand(pushCommand(open))
    .commandsGroup('Parallel jobs:')
    .addCommand(matrixCommand(open))
    .addCommand(mergeCommand(open))
    .commandsGroup('Inspect:')
    .addCommand(inspectCommand(open))
    .addCommand(diffCommand(open))
    .addCommand(planCommand(open))
    .addCommand(schemesCommand(open))
    .addCommand(passesCommand(open))
    .hook('preAction', (_, command) => {
      assertPathsUsable(command);
      for (const note of assertScopes(command)) open().note(note);
    })
    .helpCommand('help [command]', 'print the help of a command')
    .commandsGroup('Run:')
    .addCommand(generateCommand(open))
    .addCommand(logitsCommand(open))
    .addCommand(tokenizeCommand(open))
    .addCommand(serveCommand(open))
    .commandsGroup('Set up:')
    .addCommand(doctorCommand(open))
    .addCommand(completionCommand(open));
  for (const command of [program, ...program.commands]) {
    demandLate(command);
    command
      .addHelpOption(new Option('-h, --help', 'print help').helpGroup('Options:'))
      .exitOverride()
      .configureHelp({ showGlobalOptions: true })
      .configureOutput({
        writeOut: print,
        writeErr: (text) => void io.stderr.write(text),
        getOutHelpWidth: () => helpWidth(io.stdout),
        getErrHelpWidth: () => helpWidth(io.stderr),
        outputError: () => {},
      });
  }
  return program;
}

/**
 * Commander reports a missing option before an unknown one, which may be the missing one misspelled. Here
 * required options are checked once all options are known.
 */
function demandLate(command: Command): void {
  const demanded = command.options.filter(({ mandatory }) => mandatory);
  for (const option of demanded) option.makeOptionMandatory(false);
  command.hook('preAction', () => {
    const missing = demanded.find((option) => command.getOptionValue(option.attributeName()) === undefined);
    if (missing !== undefined) throw usage(`required option '${missing.flags}' not specified`);
  });
}

/** Columns of a file, and of a terminal that does not report its width. */
const USUAL_WIDTH = 80;
/** Longer lines are hard to read on any terminal. */
const MAX_HELP_WIDTH = 110;

function helpWidth(stream: OutputStream): number {
  return Math.min(stream.columns || USUAL_WIDTH, MAX_HELP_WIDTH);
}
