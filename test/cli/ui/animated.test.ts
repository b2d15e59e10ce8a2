import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { makeReporter, type Reporter } from '../../../src/cli/ui/reporter.ts';
import { makeTheme } from '../../../src/cli/ui/terminal/theme.ts';
import { ScreenStream } from '../../support/drivers/screen.ts';

const PHASE = { kind: 'phase', name: 'convert', total: 60e6, unit: 'bytes' } as const;

/** A reporter on a screen, and a clock that is set by hand. */
function onScreen(t: TestContext, columns: number) {
  const stream = new ScreenStream(columns);
  const clock = { seconds: 0 };
  const reporter = makeReporter({
    stream,
    style: 'animated',
    theme: makeTheme(false),
    now: () => 1000 * clock.seconds,
  });
  t.after(() => reporter.stop());
  return { stream, screen: stream.screen, reporter, clock };
}

/** The screen without the frame of the spinner. */
function shown({ lines }: ScreenStream['screen']): string[] {
  return lines.map((line) => line.replace(/^[⠀-⣿]/, '*'));
}

function advance(reporter: Reporter, clock: { seconds: number }, seconds: number, done: number): void {
  clock.seconds = seconds;
  reporter.progress({ kind: 'advance', done });
}

describe('the moving line', () => {
  it('is replaced by what stays, and goes with the end of the phase', (t) => {
    const { screen, reporter, clock } = onScreen(t, 80);
    reporter.progress(PHASE);
    assert.deepEqual([shown(screen), screen.showsCursor], [['* convert: 60.0 MB'], false]);
    advance(reporter, clock, 2, 6e6);
    assert.deepEqual(shown(screen), ['* convert: 6.00 MB of 60.0 MB, 10 %, 3.00 MB/s, 0:18 left']);
    reporter.progress({ kind: 'note', message: 'goes on' });
    assert.deepEqual(shown(screen).slice(0, 1), ['• goes on']);
    assert.match(shown(screen)[1]!, /^\* convert: 6\.00 MB of/);
    reporter.progress({ kind: 'phase', name: 'read back', total: 1 });
    assert.deepEqual(shown(screen), ['• goes on', '• convert: 6.00 MB in 2.00 s', '* read back: 1']);
    reporter.stop();
    assert.deepEqual(
      [screen.lines, screen.column, screen.showsCursor],
      [['• goes on', '• convert: 6.00 MB in 2.00 s'], 0, true],
    );
  });

  it('leaves the line alone that others write while it is idle', (t) => {
    const { stream, screen, reporter } = onScreen(t, 80);
    reporter.progress(PHASE);
    for (const piece of ['Call me', ' Ishmael.', ' Some years ago']) {
      reporter.stop();
      stream.write(piece);
    }
    assert.deepEqual(screen.lines, ['Call me Ishmael. Some years ago']);
  });

  for (const columns of [200, 80, 40, 20, 5, 2]) {
    it(`takes one line of ${columns} columns, and cuts the name before the figures`, (t) => {
      const { screen, reporter, clock } = onScreen(t, columns);
      reporter.progress({ ...PHASE, name: `write ${'long-name-'.repeat(20)}` });
      for (let i = 1; i < 20; i++) {
        advance(reporter, clock, i, i * 1e6);
        assert.ok(screen.lines.length <= 1, screen.lines.join('\n'));
        assert.equal(screen.column, 0);
      }
      if (columns >= 80) assert.match(screen.lines[0]!, /^. write long.*…?: 19\.0 MB of 60\.0 MB, 31 %/);
      reporter.stop();
      // The summary stays, and may take several.
      assert.match(screen.lines.join(''), /^• ?write ?long-name-/);
    });
  }

  it('counts wide characters as two columns, and marks that combine as none', (t) => {
    const { screen, reporter } = onScreen(t, 20);
    reporter.progress({ kind: 'phase', name: '模型转换工具模型转换工具' });
    assert.deepEqual(shown(screen), ['* 模型转换工具模型…']);
    reporter.progress({ kind: 'phase', name: '한글모델' });
    assert.deepEqual(shown(screen), ['* 한글모델']);
  });

  it('escapes what would move the cursor', (t) => {
    const { screen, reporter } = onScreen(t, 80);
    reporter.progress({ kind: 'phase', name: 'a\x1b[2J\nb' });
    assert.deepEqual(shown(screen), ['* a\\u{1b}[2J\\nb']);
    reporter.progress({ kind: 'note', message: 'c\r\x9b1Ad\u202e' });
    assert.equal(screen.lines[0], '• c\\u{d}\\u{9b}1Ad\\u{202e}');
  });

  for (const reflows of [true, false]) {
    it(`leaves nothing in a terminal that becomes narrower and ${reflows ? 'wraps' : 'cuts'} its lines`, (t) => {
      const { stream, screen, reporter, clock } = onScreen(t, 80);
      stream.write('before\n');
      reporter.progress(PHASE);
      advance(reporter, clock, 2, 6e6);
      for (const columns of [30, 12, 60]) {
        // The program does not know yet: another frame comes as long as before.
        stream.screen.resize(columns, reflows);
        advance(reporter, clock, clock.seconds + 1, clock.seconds * 3e6);
        assert.equal(screen.lines.length, 2, screen.lines.join('\n'));
        stream.columns = columns;
        stream.emit('resize');
        advance(reporter, clock, clock.seconds + 1, clock.seconds * 3e6);
        assert.equal(screen.lines.length, 2, screen.lines.join('\n'));
      }
      assert.match(shown(screen)[1]!, /^\* convert: \d\d\.\d MB of 60\.0 MB/);
      reporter.progress({ kind: 'note', message: 'kept' });
      reporter.stop();
      assert.deepEqual([screen.lines[0], screen.lines[1]], ['before', '• kept']);
    });
  }

  it('goes when the process ends in its midst', (t) => {
    const { screen, reporter } = onScreen(t, 80);
    reporter.progress(PHASE);
    for (const listener of process.listeners('uncaughtExceptionMonitor')) {
      listener(new Error('x'), 'uncaughtException');
    }
    assert.deepEqual([screen.lines, screen.showsCursor], [[], true]);
    assert.equal(process.listenerCount('uncaughtExceptionMonitor'), 0);
  });
});
