import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { strip } from '../../../src/cli/ui/terminal/strip.ts';
import { makeTheme, wantsBlocks } from '../../../src/cli/ui/terminal/theme.ts';

describe('a strip', () => {
  it('has a mark a value, the highest for the largest, a blank for nothing', () => {
    assert.equal(strip([0, 1, 4, 8], makeTheme(false, true)), ' ▁▄█');
    assert.equal(strip([0, 1, 4, 8], makeTheme(false)), ' .=@');
  });

  it('takes what is not finite for the largest', () => {
    assert.equal(strip([1, Infinity, 2], makeTheme(false)), '=@@');
    assert.equal(strip([], makeTheme(false)), '');
  });
});

describe('whether a stream takes marks beyond ASCII', () => {
  const rows: readonly [what: string, env: NodeJS.ProcessEnv, blocks: boolean][] = [
    ['no locale', {}, false],
    ['a locale of UTF-8', { LANG: 'de_DE.UTF-8' }, true],
    ['the C locale of UTF-8', { LC_CTYPE: 'C.utf8' }, true],
    ['LC_ALL comes first', { LC_ALL: 'C', LANG: 'en_US.UTF-8' }, false],
    ['an empty one is none', { LC_ALL: '', LANG: 'en_US.UTF-8' }, true],
    ['another charset', { LANG: 'ja_JP.eucJP' }, false],
    ['the console of Linux, whose font has few blocks', { LANG: 'C.UTF-8', TERM: 'linux' }, false],
    ['a terminal that cannot', { LANG: 'C.UTF-8', TERM: 'dumb' }, false],
    ['the terminal of Windows', { WT_SESSION: 'x' }, true],
  ];
  for (const [what, env, blocks] of rows) it(what, () => assert.equal(wantsBlocks(env), blocks));
});
