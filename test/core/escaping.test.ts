import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { renderFacts, renderTable } from '../../src/cli/ui/terminal/table.ts';
import { terminalJson, terminalLine } from '../../src/cli/ui/terminal/terminal-text.ts';
import { makeTheme } from '../../src/cli/ui/terminal/theme.ts';
import { printable } from '../../src/core/errors.ts';
import { shellWord, visible } from '../../src/core/text/format.ts';
import { escapeHtml } from '../../src/core/text/html-text.ts';
import {
  escapeMarkdown,
  markdownAddress,
  markdownBlock,
  markdownCode,
} from '../../src/core/text/markdown-text.ts';
import { yamlScalar } from '../../src/core/text/yaml-text.ts';
import { HOSTILE_TEXTS, UNPRINTABLE } from '../support/builders/hostile-texts.ts';

/** Calls `check` with each hostile text. */
function each(check: (text: string) => void): void {
  for (const text of Object.values(HOSTILE_TEXTS)) check(text);
}

/** Commands that runners of jobs find in a line. */
const COMMAND = /^\s*::|##\w*\[/;

describe('text of a file in', () => {
  it('a line of a terminal or a log', () => {
    each((text) => {
      for (const styled of [false, true]) {
        const line = terminalLine(text, styled);
        assert.doesNotMatch(styled ? line.replaceAll('\u001b[31m', '') : line, UNPRINTABLE);
        assert.doesNotMatch(line, COMMAND);
      }
      assert.doesNotMatch(visible(text), UNPRINTABLE);
      assert.match(printable(text), /^[\x20-\x7e…]*$/);
    });
    const theme = makeTheme(true);
    const line = `${theme.good('verified')} \u001b[2J`;
    assert.equal(terminalLine(line, true), `${theme.good('verified')} \\u{1b}[2J`);
    assert.equal(terminalLine('模型 né 🤖', false), '模型 né 🤖', 'other scripts stay');
  });

  it('a table, whose columns stay straight', () => {
    each((text) => {
      const lines = renderTable(
        [{ header: 'a' }, { header: 'b' }],
        [
          [text, 'END'],
          ['x', 'END'],
        ],
      );
      for (const shown of [...lines, ...renderFacts([[text, text]])]) assert.doesNotMatch(shown, UNPRINTABLE);
      const ends = lines.map((shown) => [...shown].join('').lastIndexOf('END'));
      assert.equal(ends[1], ends[2]);
    });
  });

  it('JSON on a terminal, which reads back', () => {
    each((text) => {
      const json = terminalJson(JSON.stringify({ [text]: [text] }, null, 2));
      assert.deepEqual(Object.entries(JSON.parse(json)), [[text, [text]]]);
      for (const line of json.split('\n')) {
        assert.doesNotMatch(line, UNPRINTABLE);
        assert.doesNotMatch(line, COMMAND);
      }
    });
  });

  it('Markdown', () => {
    each((text) => {
      const escaped = escapeMarkdown(text);
      assert.doesNotMatch(escaped, UNPRINTABLE);
      assert.doesNotMatch(escaped, /[<>`*[\]|~@$\\]|#(?!\d+;)|&(?!#\d+;)|:\/\/|www|^\s*[-+=]+\s*$|^ /i);
      assert.doesNotMatch(markdownCode(text).replace(/^<code>|<\/code>$/g, ''), /[<>|]/);
      const [open, line, close] = markdownBlock('sh', [text]);
      assert.ok(open === `${close}sh` && !line!.includes(close!) && !/\n/.test(line!));
      assert.match(markdownAddress(text), /^\.\/[\w.~%/-]*$/);
    });
  });

  it('YAML, one line a value', () => {
    each((text) => {
      const scalar = yamlScalar(text);
      assert.doesNotMatch(scalar, UNPRINTABLE);
      assert.match(scalar, /^([A-Za-z][\w./-]*|"([^"\\]|\\.)*")$/);
    });
    assert.equal(yamlScalar('a\u0085\u{e0001}'), '"a\\u0085\\U000e0001"');
    for (const word of ['yes', 'No', 'null', 'TRUE', '1', '~', '- a', ''])
      assert.equal(yamlScalar(word), JSON.stringify(word));
  });

  it('HTML', () => {
    each((text) => {
      const escaped = escapeHtml(text);
      assert.doesNotMatch(escaped, UNPRINTABLE);
      assert.doesNotMatch(escaped, /[<>"']|&(?!(amp|lt|gt|quot|#39);)/);
    });
  });

  it('a word of a shell', { skip: process.platform === 'win32' }, () => {
    const texts = Object.values(HOSTILE_TEXTS);
    const command = texts.map((text) => `printf '%s\\0' ${shellWord(text)}`).join('\n');
    const { stdout } = spawnSync('sh', ['-c', command], { encoding: 'utf8' });
    assert.deepEqual(stdout.split('\0').slice(0, -1), texts);
  });
});
