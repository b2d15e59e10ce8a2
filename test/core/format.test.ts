import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  formatBytes,
  formatBytesExactly,
  formatClock,
  formatCount,
  formatCounted,
  formatParameters,
  formatPerplexity,
  formatRate,
  formatSeconds,
  formatSmall,
  visible,
} from '../../src/core/text/format.ts';

const CASES: readonly [name: string, format: (value: number) => string, rows: readonly [number, string][]][] =
  [
    [
      'bytes in decimal units',
      formatBytes,
      [
        [0, '0 B'],
        [999, '999 B'],
        [1000, '1.00 kB'],
        [999_499, '999 kB'],
        [999_500, '1.00 MB'],
        [8_165_888, '8.17 MB'],
        [3_650_950_536, '3.65 GB'],
        [123_456_789_012_345, '123 TB'],
        [9_007_199_254_740_991, '9010 TB'],
      ],
    ],
    [
      'bytes, every one',
      formatBytesExactly,
      [
        [512, '512 bytes'],
        [4_411_360, '4.41 MB (4,411,360 bytes)'],
      ],
    ],
    [
      'counts',
      formatCount,
      [
        [0, '0'],
        [999, '999'],
        [1000, '1,000'],
        [1_234_567, '1,234,567'],
      ],
    ],
    [
      'parameters',
      formatParameters,
      [
        [3328, '3,328'],
        [4_082_944, '4.08 M'],
        [999_600_000, '1.00 B'],
        [1_825_458_176, '1.83 B'],
      ],
    ],
    [
      'seconds',
      formatSeconds,
      [
        [0.004, '0.00 s'],
        [9.99, '9.99 s'],
        [12.34, '12.3 s'],
        [125, '2:05'],
        [3725, '1:02:05'],
      ],
    ],
    [
      'clocks',
      formatClock,
      [
        [0, '0:00'],
        [59.6, '1:00'],
        [600, '10:00'],
      ],
    ],
    [
      'small quantities',
      formatSmall,
      [
        [0, '0'],
        [0.005, '0.005'],
        [0.0043256, '0.00433'],
        [5e-5, '5e-5'],
        [1.234e-7, '1.23e-7'],
        [-0.25, '-0.25'],
        [123.456, '123'],
        [1e6, '1e+6'],
        [Number.POSITIVE_INFINITY, 'Infinity'],
      ],
    ],
    [
      'counts with what is counted',
      (count) => formatCounted(count, 'file'),
      [
        [0, '0 files'],
        [1, '1 file'],
        [2, '2 files'],
        [12345, '12,345 files'],
      ],
    ],
    [
      'bytes, where one is one',
      formatBytesExactly,
      [
        [0, '0 bytes'],
        [1, '1 byte'],
      ],
    ],
    [
      'perplexities',
      formatPerplexity,
      [
        [15.234, '15.23'],
        [999.99, '999.99'],
        [250012.4, '250,012'],
        [Number.POSITIVE_INFINITY, 'Infinity'],
      ],
    ],
    [
      'rates, where there are any',
      (rate) => formatRate(rate) ?? 'none',
      [
        [0, 'none'],
        [Number.POSITIVE_INFINITY, 'none'],
        [Number.NaN, 'none'],
        [0.0423, '0.042'],
        [1.25, '1.3'],
        [99.9, '99.9'],
        [12345.6, '12,346'],
      ],
    ],
  ];

describe('numbers for people', () => {
  for (const [name, format, rows] of CASES) {
    it(name, () => {
      for (const [value, text] of rows) assert.equal(format(value), text);
    });
  }
});

describe('text of a model for a terminal', () => {
  const rows: readonly [string, string][] = [
    ['plain text', 'plain text'],
    ['你好 é', '你好 é'],
    ['a\nb\tc', 'a\\nb\\tc'],
    ['back\\slash', 'back\\\\slash'],
    ['\x1b[2J', '\\u{1b}[2J'],
    ['\x9b31m', '\\u{9b}31m'],
    ['right\u202eleft', 'right\\u{202e}left'],
    ['line\u2028end', 'line\\u{2028}end'],
  ];
  for (const [text, shown] of rows) {
    it(JSON.stringify(text), () => assert.equal(visible(text), shown));
  }
});
