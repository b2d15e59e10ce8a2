import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { runCli } from '../support/drivers/run-cli.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TINY = fixture('plm-tiny');

interface Golden {
  readonly ids: number[];
  readonly logits: number[][];
}

const golden: Golden = JSON.parse(readFileSync(fixture('plm-tiny', 'golden.json'), 'utf8'));

/** f32 against f64 over 4 layers of width 256; the contract of the project. */
const GOLDEN_TOLERANCE = 2e-4;

const argmax = (row: readonly number[]) => row.indexOf(Math.max(...row));

describe('logits', () => {
  for (const flags of [
    ['--attention', 'expanded'],
    ['--attention', 'latent'],
    ['--ffn', 'sparse'],
  ]) {
    it(`--json ${flags.join(' ')} agrees with the golden logits`, async () => {
      const argv = ['logits', TINY, '--ids', golden.ids.join(), ...flags, '--json', '--quiet'];
      const { code, stdout, stderr } = await runCli(argv);
      assert.deepEqual([code, stderr], [0, '']);
      const { ids, logits }: Golden = JSON.parse(stdout);
      assert.deepEqual(ids, golden.ids);
      assert.equal(logits.length, golden.logits.length);
      for (const [position, row] of logits.entries()) {
        const expected = golden.logits[position]!;
        const error = row.reduce((max, value, id) => Math.max(max, Math.abs(value - expected[id]!)), 0);
        assert.ok(error <= GOLDEN_TOLERANCE, `position ${position}: ${error}`);
        assert.equal(argmax(row), argmax(expected), `position ${position}`);
      }
    });
  }

  it('prints the likeliest tokens of each position', async () => {
    const { code, stdout } = await runCli(['logits', TINY, '--ids', '44,81,2047']);
    const [header, first, , padding] = stdout.split('\n');
    assert.equal(code, 0);
    assert.match(header!, /^position +id {2}token +#1 logit, id, token .*#5 logit, id, token$/);
    const best = argmax(golden.logits[0]!);
    assert.match(first!, new RegExp(`^ +0 +44 {2}"M" +${golden.logits[0]![best]!.toFixed(2)} ${best} `));
    assert.match(padding!, /2047 {2}padding/);
  });
});

describe('generate', () => {
  const greedy = ['generate', TINY, '--prompt', 'Call me', '-n', '12', '--temperature', '0'];

  it('streams text to stdout and tells the rate on stderr', async () => {
    const { code, stdout, stderr } = await runCli(greedy);
    assert.equal(code, 0);
    assert.match(stdout, /^.+\n$/);
    assert.match(
      stderr,
      new RegExp(
        '^plmpress: load weights: 8\\.17 MB\n' +
          'plmpress: 12 tokens, [\\d.]+ tokens/s, ended by length\n' +
          "plmpress: per token: 4,352 bytes of KV cache, 100\\.0 % of the FFN's weights\n$",
      ),
    );
  });

  it('on a terminal prints the same where no character would move it', async () => {
    const { code, stdout } = await runCli([...greedy, '--quiet'], { tty: true });
    assert.equal(code, 0);
    assert.equal(stdout, (await runCli([...greedy, '--quiet'])).stdout);
  });

  it('--json holds the same text, and both forms of attention give it', async () => {
    const { stdout: text } = await runCli([...greedy, '--quiet']);
    for (const attention of ['expanded', 'latent']) {
      const { stdout } = await runCli([...greedy, '--json', '--quiet', '--attention', attention]);
      const generation = JSON.parse(stdout);
      assert.deepEqual(Object.keys(generation), [
        'promptIds',
        'ids',
        'text',
        'stopReason',
        'tokensPerSecond',
        'kvBytesPerToken',
        'ffnReadShare',
      ]);
      assert.equal(`${generation.text}\n`, text);
      assert.equal(generation.ids.length, 12);
      assert.equal(generation.stopReason, 'length');
    }
  });

  it('--ffn sparse gives the same text and reads fewer weights', async () => {
    const generated = async (ffn: string) =>
      JSON.parse((await runCli([...greedy, '--json', '--quiet', '--ffn', ffn])).stdout);
    const [dense, sparse] = [await generated('dense'), await generated('sparse')];
    assert.deepEqual(sparse.ids, dense.ids);
    assert.equal(dense.ffnReadShare, 1);
    assert.ok(sparse.ffnReadShare > 0.5 && sparse.ffnReadShare < 0.9, sparse.ffnReadShare);
  });

  it('takes special tokens in the prompt and stops at a stop token', async () => {
    const argv = ['generate', TINY, '--prompt', '<|im_start|>user', '-n', '1', '--json', '--quiet'];
    const { promptIds, ids } = JSON.parse((await runCli(argv)).stdout);
    assert.equal(promptIds[0], 2001);
    assert.ok(ids.length <= 1);
  });

  it('tells that a seed does nothing where nothing asks for samples', async (t) => {
    const model = path.join(temporaryFolder(t), 'model');
    cpSync(TINY, model, { recursive: true });
    rmSync(path.join(model, 'generation_config.json'));
    const { code, stderr } = await runCli(['generate', model, '--prompt', 'The', '-n', '1', '--seed', '1']);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^plmpress: the likeliest token is always taken: only a temperature above 0 /m);
  });

  it('samples by the seed', async () => {
    const sample = async (seed: string) => {
      const argv = [
        'generate',
        TINY,
        '--prompt',
        'The',
        '-n',
        '16',
        '--temperature',
        '1',
        '--seed',
        seed,
        '--json',
      ];
      return JSON.parse((await runCli(argv)).stdout).ids;
    };
    assert.deepEqual(await sample('1'), await sample('1'));
    assert.notDeepEqual(await sample('1'), await sample('2'));
  });

  it('--top-k 1 is greedy, whatever the temperature', async () => {
    const hot = [
      'generate',
      TINY,
      '--prompt',
      'Call me',
      '-n',
      '12',
      '--temperature',
      '5',
      '--top-k',
      '1',
      '--quiet',
    ];
    assert.equal((await runCli(hot)).stdout, (await runCli([...greedy, '--quiet'])).stdout);
  });
});

describe('tokenize', () => {
  it('--json gives ids; special tokens are text unless --special is given', async () => {
    const ids = async (...argv: string[]) =>
      JSON.parse((await runCli(['tokenize', TINY, ...argv, '--json'])).stdout);
    assert.deepEqual(await ids('Hi<|im_end|>', '--special'), { ids: [39, 72, 2002] });
    assert.ok(!(await ids('Hi<|im_end|>')).ids.includes(2002));
    assert.deepEqual(await ids(''), { ids: [] });
  });

  it('prints each token, escaped, or its bytes', async () => {
    const { code, stdout, stderr } = await runCli(['tokenize', TINY, 'Hi ö\n']);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^ id {2}token\n 39 {2}"H"\n.*127 {2}bytes c3\n.*"\\n"\n$/s);
  });

  it('takes text that looks like an option after --', async () => {
    const { code, stdout } = await runCli(['tokenize', TINY, '--json', '--', '--quiet']);
    assert.equal(code, 0);
    assert.ok(JSON.parse(stdout).ids.length > 1);
  });
});
