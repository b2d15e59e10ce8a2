import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { makeReporter, type ReporterOptions } from '../../../src/cli/ui/reporter.ts';
import { makeTheme } from '../../../src/cli/ui/terminal/theme.ts';
import type { ProgressEvent } from '../../../src/core/jobs/progress.ts';

/** What a reporter writes on events at their times, in seconds. */
function written(
  style: ReporterOptions['style'],
  events: readonly [seconds: number, ProgressEvent | 'stop'][],
): string {
  const stream = new PassThrough();
  let seconds = 0;
  const reporter = makeReporter({ stream, style, theme: makeTheme(false), now: () => 1000 * seconds });
  for (const [at, event] of events) {
    seconds = at;
    if (event === 'stop') reporter.stop();
    else reporter.progress(event);
  }
  return stripVTControlCharacters(String(stream.read() ?? ''));
}

const MINUTE: readonly [number, ProgressEvent | 'stop'][] = [
  [0, { kind: 'phase', name: 'convert', total: 60e6, unit: 'bytes' }],
  ...Array.from({ length: 30 }, (_, i): [number, ProgressEvent] => [
    i + 1,
    { kind: 'advance', done: (i + 1) * 1e6 },
  ]),
  [31, { kind: 'note', message: 'goes on' }],
  [32, { kind: 'phase', name: 'compare', total: 1385, unit: 'tokens' }],
  [32.5, { kind: 'advance', done: 1385 }],
  [33, 'stop'],
];

describe('progress', () => {
  it('in a log is one line a phase and a heartbeat every ten seconds', () => {
    assert.deepEqual(written('lines', MINUTE).split('\n'), [
      'plmpress: convert: 60.0 MB',
      'plmpress: convert: 10.0 MB of 60.0 MB, 16 %, 1.00 MB/s, 0:50 left',
      'plmpress: convert: 20.0 MB of 60.0 MB, 33 %, 1.00 MB/s, 0:40 left',
      'plmpress: convert: 30.0 MB of 60.0 MB, 50 %, 1.00 MB/s, 0:30 left',
      'plmpress: goes on',
      'plmpress: compare: 1,385 tokens',
      '',
    ]);
  });

  it('on a terminal moves, and leaves a line of each phase that took long', () => {
    const text = written('animated', MINUTE);
    assert.match(text, /. convert: 30\.0 MB of 60\.0 MB, 50 %, 1\.00 MB\/s, 0:30 left/);
    assert.match(text, /• convert: 30\.0 MB in 32\.0 s\n/);
    assert.match(text, /• goes on\n/);
    assert.match(text, /• compare: 1,385 tokens in 1\.00 s\n$/);
  });

  it('on a terminal leaves no line of a short phase', () => {
    const text = written('animated', [
      [0, { kind: 'phase', name: 'load weights', total: 10, unit: 'bytes' }],
      [0.2, { kind: 'advance', done: 10 }],
      [0.3, 'stop'],
    ]);
    assert.doesNotMatch(text, /\n/);
  });

  it('is silent where nobody wants it', () => assert.equal(written('silent', MINUTE), ''));

  it('follows a change of speed', () => {
    const text = written('lines', [
      [0, { kind: 'phase', name: 'p', total: 1000 }],
      [5, { kind: 'advance', done: 500 }],
      [11, { kind: 'advance', done: 512 }],
    ]);
    assert.match(text, /p: 512 of 1,000, 51 %, 2\/s, 4:04 left/);
  });

  it('knows no end without a total', () => {
    const text = written('lines', [
      [0, { kind: 'phase', name: 'p', unit: 'tokens' }],
      [10, { kind: 'advance', done: 20 }],
    ]);
    assert.equal(text, 'plmpress: p\nplmpress: p: 20 tokens, 2 tokens/s\n');
  });

  it('tells no rate that shows as 0, and no end that is not known', () => {
    const last = (events: readonly [number, ProgressEvent][]) =>
      written('lines', events).trimEnd().split('\n').at(-1);
    const phase = { kind: 'phase', name: 'p', total: 1e6 } as const;
    assert.equal(
      last([
        [0, phase],
        [100, { kind: 'advance', done: 25 }],
      ]),
      'plmpress: p: 25 of 1,000,000, 0 %, 0.25/s',
    );
    assert.equal(
      last([
        [0, phase],
        [1e4, { kind: 'advance', done: 1 }],
      ]),
      'plmpress: p: 1 of 1,000,000, 0 %',
    );
    assert.equal(
      last([
        [0, { ...phase, unit: 'bytes' }],
        [10, { kind: 'advance', done: 1000 }],
        [1000, { kind: 'advance', done: 1000 }],
      ]),
      'plmpress: p: 1.00 kB of 1.00 MB, 0 %',
    );
    assert.equal(last([[0, { kind: 'phase', name: 'p', total: 1, unit: 'tokens' }]]), 'plmpress: p: 1 token');
  });
});
