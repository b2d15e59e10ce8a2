import type { AddHelpTextContext } from 'commander';

/**
 * Text below the options of a command. Paragraphs, with blank lines between them, are wrapped to the width of
 * the help. Indented lines, such as examples, stay as they are.
 */
export function helpText(text: string): (context: AddHelpTextContext) => string {
  const lines = text.replace(/^(\S.*)\n(?=\S)/gm, '$1 ').split('\n');
  return ({ command, error }) => {
    const { getOutHelpWidth, getErrHelpWidth } = command.configureOutput();
    const width = (error ? getErrHelpWidth : getOutHelpWidth)!()!;
    const help = command.createHelp();
    return lines.map((line) => (line.startsWith(' ') ? line : help.boxWrap(line, width))).join('\n');
  };
}
