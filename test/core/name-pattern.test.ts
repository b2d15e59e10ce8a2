import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PressError } from '../../src/core/errors.ts';
import { PatternList } from '../../src/core/text/name-pattern.ts';

const NAMES = [
  ...['token_embd.weight', 'output_norm.weight', 'output.weight'],
  ...[0, 1, 9, 10, 31].flatMap((layer) => [
    ...['attn_q', 'attn_kv_a_mqa', 'attn_kv_b', 'ffn_up', 'ffn_down'].map(
      (part) => `blk.${layer}.${part}.weight`,
    ),
    `model.layers.${layer}.self_attn.kv_b_proj.weight`,
    `model.layers.${layer}.mlp.down_proj.weight`,
  ]),
];

/** As people write them for llama-quantize (`--tensor-type`), and what else both engines have. */
const PATTERNS = [
  ...[
    'attn_q',
    'ATTN_V|Ffn_Down',
    '\\.([0-9]|1[01257]|31)\\.attn_k',
    'blk\\.(0|1|2)\\.ffn_(up|down)',
    '.*ffn.*',
  ],
  ...[
    '^blk\\.[1-3]\\d?\\.',
    'weight$',
    '^token_embd\\.weight$',
    '(?:attn|ffn)_\\w+',
    'blk.{1,3}.attn',
    '[^.]+$',
  ],
  ...[
    'layers\\.\\d+\\.mlp',
    '(?<layer>\\d+)\\.self',
    '\\bq\\b',
    '\\Bq',
    'a|',
    '[\\w.-]+',
    '(a*)*b',
    'a??b',
    '\\.\\/?',
  ],
];

describe('a list of patterns', () => {
  it('matches what the expressions of JavaScript match', () => {
    for (const source of PATTERNS) {
      const [list, expected] = [new PatternList([[source, true]]), new RegExp(source, 'i')];
      for (const name of NAMES) {
        assert.equal(list.find(name) === true, expected.test(name), `/${source}/i on ${name}`);
      }
    }
  });

  it('gives the value of the first that matches any of the names', () => {
    const list = new PatternList([
      ['q$', 1],
      ['^a', 2],
      ['b', 3],
    ]);
    assert.deepEqual([list.find('ab'), list.find('b', 'q'), list.find('x')], [2, 1, undefined]);
  });

  it('holds an exact name for each matrix of a deep model, and no more steps than it can run', () => {
    const exact = Array.from(
      { length: 512 },
      (_, index) => [`^blk\\.${index}\\.ffn_down\\.weight$`, index] as const,
    );
    assert.equal(new PatternList(exact).find('blk.511.ffn_down.weight'), 511);
    const large = Array.from({ length: 300 }, () => ['a{1000}', 0] as const);
    assert.throws(() => new PatternList(large), /too many patterns, expected at most 250000 steps/);
  });

  for (const source of [
    '(a+)+$',
    '((a|aa)+)+$',
    '(a*)*(a*)*(a*)*b',
    '(.*)*x',
    '(a?){40}a{40}$',
    '(\\w+\\.?)+!',
  ]) {
    it(`searches for what explodes elsewhere in bounded time: ${source}`, () => {
      const before = process.cpuUsage();
      assert.equal(
        new PatternList([[source, true]]).find(`${'a'.repeat(5000)}.!`),
        source.endsWith('!') || undefined,
      );
      // An exponential search takes longer than the universe has existed.
      assert.ok(process.cpuUsage(before).user < 5e6);
    });
  }

  const refusals: readonly [source: string, message: RegExp][] = [
    ['(', /^"\(" is not a regular expression: missing closing \), expected the syntax of RE2/],
    ['[b-a]', /invalid character class range/],
    ['*', /missing argument to repetition operator/],
    ['(?!a)b', /no look-around and no back-references$/],
    ['(a)\\1', /invalid escape sequence/],
    ['(a{1000}){1000}', /invalid repeat count/],
    ['('.repeat(900), /missing closing/],
    ['a'.repeat(1001), /is too long, expected at most 1000 characters$/],
  ];
  for (const [source, message] of refusals) {
    it(`refuses ${source.slice(0, 30)}`, () => {
      assert.throws(
        () => new PatternList([[source, 0]]),
        (error) => error instanceof PressError && error.failure === 'usage' && message.test(error.message),
      );
    });
  }
});
