import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { type Command, InvalidArgumentError, type Option } from 'commander';
import { buildProgram } from '../../src/cli/program.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TINY = fixture('plm-tiny');

/** What a value is, by the word that the help has for it. */
type Kind = 'count' | 'size' | 'number' | 'list';

/**
 * Every flag that takes numbers, with values that lie just outside of its range. One that is new has to be
 * added.
 */
const FLAGS: Readonly<Record<string, readonly [kind: Kind, refused: readonly string[]]>> = {
  'convert --shard-size': ['size', []],
  'convert --target-size': ['size', []],
  'convert --ffn-width': ['count', ['0']],
  'convert --part': ['list', ['0/2', '3/2', '1/0', '1', '1/100000']],
  'convert --threads': ['count', ['0', '257']],
  'convert --max-memory': ['size', []],
  'convert --max-kld': ['number', []],
  'verify --tokens': ['count', ['0', '1']],
  'verify --max-kld': ['number', []],
  'verify --threads': ['count', ['0', '257']],
  'convert --calibration-tokens': ['count', ['0', '1']],
  'plan --calibration-tokens': ['count', ['0', '1']],
  'calibrate --tokens': ['count', ['0', '1']],
  'calibrate --context': ['count', ['0']],
  'calibrate --weight': ['list', ['a=0', 'a=-1', 'a=NaN', 'a=Infinity', 'a=', 'a']],
  'calibrate --threads': ['count', ['0', '257']],
  'sweep --sizes': ['list', ['0', '0%', '-5%', '10001%', '5%%', '1M,', ',', '5ZB', '1M,0']],
  'sweep --ffn-width': ['count', ['0']],
  'sweep --tokens': ['count', ['0', '1']],
  'sweep --threads': ['count', ['0', '257']],
  'reproduce --threads': ['count', ['0', '257']],
  'matrix --target-size': ['size', []],
  'matrix --parts': ['count', ['0', '10001']],
  'merge --threads': ['count', ['0', '257']],
  'diff --threads': ['count', ['0', '257']],
  'plan --context': ['count', ['0']],
  'generate --tokens': ['count', ['0']],
  'generate --temperature': ['number', []],
  'generate --seed': ['count', []],
  'generate --top-k': ['count', []],
  'generate --top-p': ['number', ['1.01']],
  'generate --threads': ['count', ['0', '257']],
  'logits --ids': ['list', ['1,', ',1', '1,,2', '-1', '1.5', 'a', '2147483648', '1 2']],
  'logits --threads': ['count', ['0', '257']],
  'serve --port': ['count', ['65536', '70000']],
};

const NOT_NUMBERS = [
  '',
  ' ',
  'NaN',
  'ten',
  '-1',
  '-Infinity',
  'Infinity',
  '1e400',
  '1_000',
  '1,5',
  '0x',
  '--',
  '٣',
];
const REFUSED: Readonly<Record<Kind, readonly string[]>> = {
  count: [...NOT_NUMBERS, '1.5', '1e3', '0x10', '9007199254740992', '1'.repeat(400)],
  size: [...NOT_NUMBERS, '0', '0.4', '0M', '-5M', '1e30', '5ZB', '5 M B', 'MB', '5MBps', '9999999T', '1..5G'],
  number: [...NOT_NUMBERS, '-0.1', '0.1.2'],
  list: ['', ' ', 'NaN'],
};

/** Words in the help that stand for numbers. `matrix` hands its size on as text. */
const NUMERIC = /<(n|i\/n|ids|size|sizes|x|t|s|k|p|name=w)>/;

const program = buildProgram(
  { stdout: process.stdout, stderr: process.stderr, env: {} },
  () => assert.fail('no command runs'),
  () => {},
);

function numericOptions(): [name: string, option: Option][] {
  return program.commands.flatMap((command: Command) =>
    command.options
      .filter(({ flags }) => NUMERIC.test(flags))
      .map((option): [string, Option] => [`${command.name()} ${option.long}`, option]),
  );
}

describe('flags that take numbers', () => {
  it('are these', () => {
    assert.deepEqual(
      numericOptions()
        .map(([name]) => name)
        .sort(),
      Object.keys(FLAGS).sort(),
    );
  });

  for (const [name, option] of numericOptions()) {
    const [kind, more] = FLAGS[name] ?? ['list', []];
    it(`${name} refuses what is none, and what is out of range`, () => {
      for (const text of [...REFUSED[kind], ...more]) {
        assert.throws(
          () => option.parseArg!(text, undefined),
          InvalidArgumentError,
          `${name} takes ${JSON.stringify(text)}`,
        );
      }
    });
  }

  it('tell the flag and what it takes, before anything is opened', async () => {
    for (const argv of [
      ['generate', 'none', '--prompt', 'a', '-n', '-3'],
      ['convert', 'none', '--to', 'gguf:q8_0', '-o', 'none', '--shard-size', '0'],
      ['serve', 'none', '--port', '70000'],
      ['generate', 'none', '--prompt', 'a', '--seed', '9007199254740992'],
    ]) {
      const { code, stderr } = await runCli(argv);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /^plmpress: error: option '.*' argument '.*' is invalid\. Expected .*\n$/);
    }
  });
});

describe('a size that no choice of schemes reaches', () => {
  it('is refused before anything is measured, with the smallest that can be', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const convert = (size: string) =>
      runCli(['convert', TINY, '--to', 'gguf:q4_k_m', '--target-size', size, '-o', output]);
    const { code, stderr } = await convert('1');
    assert.equal(code, 2);
    // No progress comes before it.
    const smallest = /^plmpress: error: a size of 1 byte is .*, expected at least ([\d,]+) bytes\n$/
      .exec(stderr)?.[1]
      ?.replaceAll(',', '');
    assert.ok(Number(smallest) > 1e6 && Number(smallest) < 2.2e6, stderr);
    assert.equal((await convert(`${Number(smallest) - 1}`)).code, 2);
    assert.equal(existsSync(output), false);
    const sweep = ['sweep', TINY, '--to', 'gguf:q4_k_m', '--quality', 'fast', '--sizes'];
    for (const sizes of ['100%,1000', '0.001%']) {
      const swept = await runCli([...sweep, sizes]);
      assert.equal(swept.code, 2);
      assert.ok(
        swept.stderr.replaceAll(',', '').endsWith(`expected at least ${smallest} bytes\n`),
        swept.stderr,
      );
    }
  });
});
