import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeTheme, wantsColors } from '../../../src/cli/ui/terminal/theme.ts';

describe('whether a stream takes colours', () => {
  const rows: readonly [
    what: string,
    tty: boolean,
    env: NodeJS.ProcessEnv,
    noColor: boolean,
    colors: boolean,
  ][] = [
    ['a terminal', true, {}, false, true],
    ['a file or pipe', false, {}, false, false],
    ['a terminal that cannot', true, { TERM: 'dumb' }, false, false],
    ['NO_COLOR', true, { NO_COLOR: '1' }, false, false],
    ['an empty NO_COLOR is none', true, { NO_COLOR: '' }, false, true],
    ['FORCE_COLOR', false, { FORCE_COLOR: '1' }, false, true],
    ['FORCE_COLOR=0', true, { FORCE_COLOR: '0' }, false, false],
    ['NO_COLOR comes before FORCE_COLOR', true, { NO_COLOR: '1', FORCE_COLOR: '1' }, false, false],
    ['--no-color comes before all', true, { FORCE_COLOR: '1' }, true, false],
  ];
  for (const [what, tty, env, noColor, colors] of rows) {
    it(what, () => assert.equal(wantsColors(tty, env, noColor), colors));
  }
});

describe('a theme', () => {
  it('without colours leaves text as it is', () => assert.equal(makeTheme(false).bad('x'), 'x'));
  it('with colours ends what it begins', () => assert.equal(makeTheme(true).bad('x'), '\x1b[31mx\x1b[39m'));
});
