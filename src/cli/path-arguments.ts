import type { Command } from 'commander';
import { PressError, usage } from '../core/errors.ts';
import { optionWords, valuesOf } from './completion/words.ts';

/**
 * Checks all paths of a command line. Throws `usage` for an empty one: it comes from a variable that a script
 * has not set, and never means the current folder. Throws `local-io` if the current folder has been removed:
 * then relative paths lead nowhere, and no thread can be started.
 */
export function assertPathsUsable(command: Command): void {
  const options = command.options.filter((option) => optionWords(option).values === 'path');
  for (const option of options) {
    if (hasEmpty(command.getOptionValue(option.attributeName()))) {
      throw usage(`option '${option.flags}' is empty`, 'a path');
    }
  }
  const places = command.registeredArguments.map((argument) => valuesOf(argument) === 'path');
  const empty = places.findIndex((isPath, index) => isPath && hasEmpty(command.processedArgs[index]));
  if (empty >= 0) throw usage(`argument '${command.registeredArguments[empty]!.name()}' is empty`, 'a path');
  if (options.length > 0 || places.includes(true)) assertCurrentFolder();
}

/** For one value, a list of values, or a file with a name. */
function hasEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasEmpty);
  return value === '' || (value as { file?: unknown } | undefined)?.file === '';
}

function assertCurrentFolder(): void {
  try {
    process.cwd();
  } catch (cause) {
    const what = 'the current folder has been removed: change to a folder that exists';
    throw new PressError('local-io', { what }, { cause });
  }
}
