import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { helpText } from '../../src/cli/help-text.ts';

const TEXT = `
A paragraph that
stands on two lines of the source.

Examples:
  plmpress an example that is longer than forty columns
  plmpress another`;

/** What a command prints below its options. */
function printed(width: number): string {
  let help = '';
  const command = new Command('c').addHelpText('after', helpText(TEXT)).configureOutput({
    writeOut: (text) => (help += text),
    getOutHelpWidth: () => width,
  });
  command.outputHelp();
  return help.slice(help.indexOf('\nA paragraph'));
}

test('paragraphs of help are wrapped to its width, and indented lines stay as they are', () => {
  const examples = TEXT.slice(TEXT.indexOf('\nExamples'));
  assert.equal(printed(40), `\nA paragraph that stands on two lines of\nthe source.\n${examples}\n`);
  assert.equal(printed(80), `\nA paragraph that stands on two lines of the source.\n${examples}\n`);
});
