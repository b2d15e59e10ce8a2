import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PressError } from '../../src/core/errors.ts';
import { NamePattern, PatternList } from '../../src/core/name-pattern.ts';
import { Dice } from '../support/dice.ts';

const NAMES = [
  ...['token_embd.weight', 'output_norm.weight', 'output.weight', ''],
  ...[0, 1, 9, 10, 31].flatMap((layer) => [
    ...['attn_q', 'attn_kv_a_mqa', 'attn_kv_b', 'ffn_up', 'ffn_down'].map(
      (part) => `blk.${layer}.${part}.weight`,
    ),
    `model.layers.${layer}.self_attn.kv_b_proj.weight`,
    `model.layers.${layer}.mlp.down_proj.weight`,
  ]),
];

/** As people write them for llama-quantize (`--tensor-type`) and PEFT (`target_modules`), and what is odd about the syntax. */
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
    '^$',
  ],
  ...[
    '.*\\.(q_proj|kv_b_proj|down_proj)\\.',
    'layers\\.\\d+\\.mlp',
    '(?<layer>\\d+)\\.self',
    '\\bq\\b',
    '\\Bq',
    'a|',
    '|',
  ],
  ...[
    'x{2',
    'a{,3}',
    '{',
    '}',
    ']',
    '[]a]',
    '[^]',
    '[]',
    '[\\w-.]+',
    '[a-\\d]',
    '[+--]',
    '[\\b]',
    '\\x6d\\u006c',
    '\\cJ',
    '\\0',
  ],
  ...[
    '(a*)*b',
    '(a|aa)+$',
    '(?:^b|^t)+o',
    '(^)*b',
    'a??b',
    'l+?k',
    'l{0}k',
    '(|a)+b',
    '(){9}b',
    '\\.\\/?',
    '\\S\\s',
    '[\\D]\\W',
  ],
];

/** Whether two engines agree on every name. */
function assertAgrees(source: string, names: readonly string[]): void {
  const [ours, theirs] = [new NamePattern(source), new RegExp(source, 'i')];
  for (const name of names)
    assert.equal(ours.test(name), theirs.test(name), `/${source}/i on ${JSON.stringify(name)}`);
}

describe('patterns', () => {
  it('of people match what those of JavaScript match', () => {
    for (const source of PATTERNS) assertAgrees(source, NAMES);
  });

  it('of chance match what those of JavaScript match, and are refused where those are', () => {
    const dice = new Dice(19);
    const pieces = [
      'a',
      'b',
      'A',
      '.',
      '\\.',
      '[ab]',
      '[^a]',
      '[a-c.]',
      '\\w',
      '\\D',
      '\\b',
      '^',
      '$',
      '(',
      '(?:',
      ')',
      ')',
      '|',
    ];
    const counts = ['*', '+', '?', '{2}', '{1,}', '{0,2}', '{2,1}', '*?', '+?', '{', '}', ']', '-'];
    const texts = Array.from({ length: 40 }, () =>
      Array.from({ length: dice.below(9) }, () => 'abC.-{]1'[dice.below(8)]!).join(''),
    );
    let accepted = 0;
    for (let round = 0; round < 4000; round++) {
      const length = 1 + dice.below(9);
      const source = Array.from({ length }, () => dice.pick(dice.below(3) === 0 ? counts : pieces)).join('');
      const theirs = attempt(() => new RegExp(source, 'i'));
      if (theirs instanceof Error) assert.throws(() => new NamePattern(source), PressError, source);
      else {
        assertAgrees(source, texts);
        accepted++;
      }
    }
    assert.ok(accepted > 1000, `${accepted} accepted`);
  });

  const explosive = [
    '(a+)+$',
    '((a|aa)+)+$',
    '(a*)*(a*)*(a*)*b',
    '(.*)*x',
    '(.+)*.+x',
    '(a?){40}a{40}$',
    '(\\w+\\.?)+!',
  ];
  for (const source of explosive) {
    it(`whose search explodes are searched for in bounded time: ${source}`, () => {
      const pattern = new NamePattern(source);
      const before = process.cpuUsage();
      assert.equal(pattern.test(`${'a'.repeat(5000)}.!`), source.endsWith('!'));
      const { user } = process.cpuUsage(before);
      // An exponential search takes longer than the universe has existed.
      assert.ok(user < 5e6, `${user} us`);
    });
  }

  const refusals: readonly [source: string, failure: string, message: RegExp][] = [
    ['(', 'usage', /"\(" is no regular expression: it has a \( without \)$/],
    [')', 'usage', /has a \) without \(/],
    ['[a', 'usage', /has a \[ without \]/],
    ['[b-a]', 'usage', /range out of order/],
    ['*', 'usage', /repeats nothing/],
    ['a**', 'usage', /repeats nothing/],
    ['^*', 'usage', /repeats what reads no character/],
    ['a{2,1}', 'usage', /counts downwards/],
    ['a\\', 'usage', /ends in a backslash/],
    ['\\A', 'usage', /unknown escape \\A/],
    ['(?i)a', 'usage', /group of an unknown kind/],
    ['(?P<x>a)', 'usage', /group of an unknown kind/],
    ['(a)\\1', 'unsupported', /patterns cannot have a back-reference/],
    ['(?<x>a)\\k<x>', 'unsupported', /back-reference/],
    ...['(?=a)', '(?!a)', '(?<=a)', '(?<!a)'].map((source): [string, string, RegExp] => [
      source,
      'unsupported',
      /look-around/,
    ]),
    ['[[:alpha:]]', 'unsupported', /class in \[: :\]/],
    ['(a{1000}){1000}', 'usage', /repeats too much, expected a pattern of at most 10000 states/],
    ['a{999999999}', 'usage', /repeats too much/],
    ['((){99999}){99999}a{20000}', 'usage', /repeats too much/],
    ['('.repeat(4000), 'usage', /nests deeper than 64 groups/],
    ['a'.repeat(5000), 'usage', /longer than 4096 characters/],
  ];
  for (const [source, failure, message] of refusals) {
    it(`are refused: ${source.slice(0, 30)}`, () => {
      assert.throws(
        () => new NamePattern(source),
        (error) => {
          assert.ok(error instanceof PressError);
          assert.match(error.message, message);
          return error.failure === failure;
        },
      );
    });
  }
});

describe('a list of patterns', () => {
  it('gives the value of the first that matches any of the names', () => {
    const list = new PatternList([
      ['q$', 1],
      ['^a', 2],
      ['b', 3],
    ]);
    assert.deepEqual([list.find('ab'), list.find('b', 'q'), list.find('x')], [2, 1, undefined]);
  });

  it('holds an exact name for each matrix of the deepest model, and no more than it can run', () => {
    const exact = Array.from(
      { length: 5120 },
      (_, index) => [`^blk\\.${index}\\.ffn_down\\.weight$`, index] as const,
    );
    assert.equal(new PatternList(exact).find('blk.5119.ffn_down.weight'), 5119);
    assert.throws(
      () => new PatternList(Array.from({ length: 30 }, () => ['a{9000}', 0] as const)),
      /too many patterns/,
    );
  });
});

function attempt<T>(action: () => T): T | Error {
  try {
    return action();
  } catch (error) {
    return error as Error;
  }
}
