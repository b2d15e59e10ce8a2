import type { Argument, Command, Option } from 'commander';
import { WRITTEN_SCHEMES } from '../../core/scheme.ts';
import { PASSES } from '../../passes/index.ts';
import { DEVICES } from '../../pipeline/plan/devices.ts';
import { TARGETS } from '../targets.ts';

/**
 * The values that a place allows; `path` for a file or folder, undefined if the values are not known.
 */
export type Values = readonly string[] | 'path' | undefined;

export interface OptionWords {
  /** `-o` and `--output`. */
  readonly flags: readonly string[];
  readonly summary: string;
  /** Whether a value follows. */
  readonly takesValue: boolean;
  readonly values: Values;
}

export interface CommandWords {
  readonly name: string;
  readonly summary: string;
  /** Its options, including those of every command. */
  readonly options: readonly OptionWords[];
  /** Of its arguments. */
  readonly values: Values;
}

/** The words that may follow the name of the program. */
export interface ProgramWords {
  readonly options: readonly OptionWords[];
  readonly commands: readonly CommandWords[];
}

const TARGET_NAMES = TARGETS.map(({ target }) => target);

/** Values by the first word in the brackets of an option or argument. */
const PLACES: Readonly<Record<string, Values>> = {
  ...Object.fromEntries(
    ['source', 'artifact', 'manifest', 'stats', 'file', 'dir', 'dirs', 'a', 'b'].map((word) => [
      word,
      'path',
    ]),
  ),
  target: TARGET_NAMES,
  gguf: TARGET_NAMES.filter((target) => target.startsWith('gguf:')),
  scheme: WRITTEN_SCHEMES.map((name) => name.toLowerCase()),
  pass: PASSES.map(({ name }) => name),
  device: DEVICES.map(({ name }) => name),
};

/** Reads commander's own tree, so that no command or option can be forgotten. */
export function programWords(program: Command): ProgramWords {
  const help = program.createHelp();
  const options = help.visibleOptions(program).map(optionWords);
  const commands = help.visibleCommands(program);
  const names = commands.map((command) => command.name());
  return {
    options,
    commands: commands.map((command) => ({
      name: command.name(),
      summary: command.description(),
      options: [...help.visibleOptions(command).map(optionWords), ...options.filter(isForAll)],
      values: command.name() === 'help' ? names : valuesOf(command.registeredArguments[0]),
    })),
  };
}

/** `--version` is an option of the program alone, and each command has its own `--help`. */
function isForAll({ flags }: OptionWords): boolean {
  return !flags.includes('--version') && !flags.includes('--help');
}

export function optionWords(option: Option): OptionWords {
  const { short, long, description, required, optional, flags } = option;
  return {
    flags: [short, long].filter((flag) => flag !== undefined),
    summary: description,
    takesValue: required || optional,
    values: option.argChoices ?? placeValues(/<([\w-]+)/.exec(flags)?.[1]),
  };
}

/** The values that an argument may have. */
export function valuesOf(argument: Argument | undefined): Values {
  return argument?.argChoices ?? placeValues(argument?.name());
}

function placeValues(word = ''): Values {
  return Object.hasOwn(PLACES, word) ? PLACES[word] : undefined;
}
