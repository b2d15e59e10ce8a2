import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { main } from '../../src/cli/main.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { ScopedOption } from '../../src/cli/scoped-option.ts';
import { VERSION } from '../../src/pipeline/version.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TINY = fixture('plm-tiny');

/**
 * Command lines that fail before anything is read or written: exit code, message after `plmpress: error: `.
 */
const FAILURES: readonly [argv: readonly string[], code: number, message: RegExp][] = [
  [['inspekt'], 2, /^unknown command 'inspekt' \(Did you mean inspect\?\)$/],
  [['inspect'], 2, /^missing required argument 'source'$/],
  [['inspect', TINY, '--jsn'], 2, /^unknown option '--jsn' \(Did you mean --json\?\)$/],
  [
    ['completion', 'tcsh'],
    2,
    /'tcsh' is invalid for argument 'shell'\. Allowed choices are bash, zsh, fish, powershell/,
  ],
  ...[
    ['convert', TINY, '--to', 'gguf:q8_0', '-o', ''],
    ['calibrate', TINY, '--text', TINY, '-o', ''],
    ['pull', 'a/b', '--output='],
    ['merge', TINY, '--from', TINY, '-o', ''],
    ['sweep', TINY, '--to', 'gguf:q4_0', '--sizes', '3MB', '-o', ''],
    ['reproduce', TINY, '-o', ''],
  ].map((argv): [readonly string[], number, RegExp] => [
    argv,
    2,
    /^option '-o, --output <\w+>' is empty, expected a path$/,
  ]),
  [['verify', TINY, '--against', TINY, '--text', 'x', '--text', ''], 2, /^option '--text <file>' is empty/],
  [['calibrate', TINY, '--text', '', '-o', 'x'], 2, /^option '--text <file>' is empty/],
  [['inspect', ''], 2, /^argument 'source' is empty, expected a path$/],
  [['merge', 'x', '', '--from', TINY, '-o', 'x'], 2, /^argument 'dirs' is empty/],
  [['doctor', 'now'], 2, /^too many arguments for 'doctor'/],
  [['inspect', TINY, 'more'], 2, /^too many arguments for 'inspect'/],
  [['--quiet'], 2, /^no command given$/],
  [['convert', TINY, '-o', 'x'], 2, /^required option '--to <target>' not specified$/],
  [['convert', TINY, '--to', 'gguf:f32'], 2, /^required option '-o, --output <dir>' not specified$/],
  [['convert', TINY, '--to', 'gguf:q3', '-o', 'x'], 2, /^unknown GGUF recipe "q3", expected f32, .*q8_0/],
  [
    ['convert', TINY, '--to', 'gguf:q4-km', '-o', 'x'],
    2,
    /recipe "q4-km" \(Did you mean q4_k_m\?\), expected f32/,
  ],
  [
    ['convert', TINY, '--to', 'onnx:q4f6', '-o', 'x'],
    2,
    /scheme "q4f6" \(Did you mean q4f16\?\), expected f32/,
  ],
  [
    ['convert', TINY, '--to', 'gguf:q8_0', '--pass', 'prune', '-o', 'x'],
    2,
    /^unknown pass "prune", expected dedupe-tensors, /,
  ],
  [
    ['convert', TINY, '--to', 'gguf:q8_0', '--pass', 'fold-norm', '-o', 'x'],
    2,
    /^unknown pass "fold-norm" \(Did you mean fold-norms\?\)/,
  ],
  [['plan', TINY, '--device', 'raspberrypi5'], 2, /device "raspberrypi5" \(Did you mean raspberry-pi-5\?\)/],
  [['convert', TINY, '--to', 'tflite', '-o', 'x'], 2, /^unknown target "tflite", expected gguf:/],
  [
    ['convert', 'org/name', '--to', 'q4_k_m', '-o', 'x'],
    2,
    /^unknown target "q4_k_m" \(Did you mean gguf:q4_k_m\?\), expected gguf:/,
  ],
  [['plan', 'org/name', '--to', 'q4f16'], 2, /"q4f16" \(Did you mean onnx:q4f16\?\)/],
  [
    ['sweep', 'org/name', '--to', 'f16', '--sizes', '90%'],
    2,
    /\(Did you mean gguf:f16 or onnx:f16 or webgpu:f16\?\)/,
  ],
  [['matrix', '--model', 'a', '--to', 'GGUF:q4k'], 2, /"GGUF:q4k" \(Did you mean gguf:q4_k\?\)/],
  [['convert', TINY, '--too', 'gguf:q8_0', '-o', 'x'], 2, /^unknown option '--too' \(Did you mean --to\?\)$/],
  [
    ['convert', TINY, '--to', 'onnx:int8', '-o', 'x'],
    2,
    /unknown ONNX scheme "int8", expected f32, f16, q8, q4, q4f16/,
  ],
  [['convert', TINY, '--to', 'webgpu:q5', '-o', 'x'], 2, /unknown WebGPU scheme "q5", expected f16, q8, q4/],
  [
    ['convert', TINY, '--to', 'gguf:q4_k_m', '--quality', 'best', '--target-size', '3MB', '-o', 'x'],
    2,
    /--target-size with --quality best needs --statistics/,
  ],
  [
    ['convert', TINY, '--to', 'gguf:q4_k_m', '--quality', 'best', '--stream', '-o', 'x'],
    2,
    /--stream with --quality best needs --statistics/,
  ],
  [
    ['convert', TINY, '--to', 'gguf:q4_k_m', '--save-schemes', 'p', '-o', 'x'],
    2,
    /^--save-schemes does nothing without --target-size: add it, or leave out --save-schemes$/,
  ],
  [
    ['convert', TINY, '--to', 'gguf:q4_k_m', '--ffn-width', '512', '-o', 'x'],
    2,
    /^--ffn-width does nothing without --target-size/,
  ],
  [
    ['convert', TINY, '--to', 'onnx:q4', '--target-size', '2MB', '-o', 'x'],
    2,
    /--target-size is for gguf targets/,
  ],
  [['convert', TINY, '--to', 'gguf:q4_k_m', '--schemes', 'none.json', '-o', 'x'], 4, /none\.json/],
  [['sweep', TINY, '--to', 'gguf:q4_k_m', '--sizes', '90%'], 2, /--quality best needs --statistics/],
  [['sweep', TINY, '--to', 'onnx:q4', '--sizes', '90%', '--quality', 'fast'], 2, /gguf:RECIPE/],
  [['sweep', TINY, '--to', 'gguf:q4_k_m', '--sizes', '0%'], 2, /a share above 0%/],
  [
    ['convert', TINY, '--to', 'onnx:q4', '--pure', '-o', 'x'],
    2,
    /--pure is for gguf targets, expected --to gguf:/,
  ],
  [
    ['convert', TINY, '--to', 'gguf:q8_0', '--cache', 'expanded', '-o', 'x'],
    2,
    /--cache is for onnx targets/,
  ],
  [
    ['verify', TINY, '--against', TINY, '--report', 'x.pdf'],
    2,
    /'--report <file>' argument 'x\.pdf' is invalid\. Expected a file named \.html or \.md\.$/,
  ],
  [
    ['convert', TINY, '--to', 'gguf:q8_0', '-o', 'x', '--report', 'x.md'],
    2,
    /^--report does nothing without --verify/,
  ],
  [['verify', TINY, '--against', TINY, '--engine', 'onnxruntime'], 7, /runs ONNX graphs only/],
  [
    ['convert', TINY, '--to', 'gguf:f32', '-o', 'x', '--threads', '0'],
    2,
    /'--threads <n>' argument '0' is invalid/,
  ],
  [['convert', TINY, '--to', 'gguf:f32', '-o', 'x', '--shard-size', '5 apples'], 2, /'--shard-size <size>'/],
  [['convert', TINY, '--to', 'gguf:f32', '-o', 'x', '--max-memory', '1M'], 4, /memory limit is too small/],
  [['convert', TINY, '--to', 'gguf:f32', '--to', 'gguf:F32', '-o', 'x'], 2, /both write/],
  [
    ['convert', TINY, '--to', 'gguf:q8_0', '-o', 'x', '--tensor-type', 'attn_q=q9'],
    2,
    /'--tensor-type <regex=scheme>' argument 'attn_q=q9' is invalid\. Expected a scheme: F32, .*, Q6_K, IQ4_NL, IQ4_XS, BF16, TQ1_0, TQ2_0, MXFP4\.$/,
  ],
  [
    ['convert', TINY, '--to', 'gguf:q8_0', '-o', 'x', '--tensor-type', '[=q8_0'],
    2,
    /^"\[" is not a regular expression: missing closing \]/,
  ],
  [
    ['convert', TINY, '--to', 'gguf:q8_0', '-o', 'x', '--kv-b-rule', '2024'],
    2,
    /choices are current, 2025-03/,
  ],
  [
    ['convert', TINY, '--to', 'gguf:q8_0', '-o', 'x', '--gguf-arch', 'llama'],
    2,
    /choices are plm, deepseek2/,
  ],
  [
    ['convert', TINY, '--to', 'gguf:q2_k_s', '-o', 'x'],
    7,
    /Q2_K without importances .*give them with --imatrix$/,
  ],
  [
    ['convert', TINY, '--to', 'gguf:q8_0', '-o', 'x', '--imatrix', 'no/such.dat'],
    4,
    /^no\/such\.dat: no such file/,
  ],
  [
    ['convert', TINY, '--to', 'gguf:q8_0', '-o', 'x', '--imatrix', fixture('text', 'eval.txt')],
    3,
    /^eval\.txt: header: at byte 0: number of entries, got \d+/,
  ],
  [
    ['convert', TINY, '--to', 'gguf:q8_0', '-o', 'x', '--part', '4/3'],
    2,
    /'--part <i\/n>' argument '4\/3' is invalid\. Expected I\/N, as 1\/3/,
  ],
  [
    ['convert', TINY, '--to', 'gguf:q8_0', '-o', 'x', '--part', '1/3', '--verify'],
    2,
    /^--part cannot be combined with --verify: a single part cannot run; /,
  ],
  [['merge', 'no-such-folder', '--from', TINY, '-o', 'x'], 3, /^no-such-folder: missing \(ENOENT\)$/],
  [['merge', TINY, '--from', TINY, '-o', 'x'], 3, /contains no part of a conversion$/],
  [['matrix', '--model', TINY, '--to', 'gguf:q3'], 2, /^unknown GGUF recipe "q3"/],
  [['matrix', '--model', TINY, '--to', 'onnx:q4', '--target-size', '1GB'], 2, /^sizes are for GGUF targets/],
  [['matrix', '--model', TINY, '--to', 'onnx:q4', '--target-size', 'x'], 2, /'--target-size <size>'/],
  [['reproduce', 'no-such.json'], 4, /^no-such\.json: no such file/],
  [['generate', TINY], 2, /^required option '--prompt <text>' not specified$/],
  [['generate', TINY, '--prompt', ''], 2, /^the prompt is empty$/],
  [['generate', TINY, '--prompt', 'x '.repeat(2000)], 2, /^the prompt has \d+ tokens, expected at most 1024/],
  [['generate', TINY, '--prompt', 'x', '--top-p', '1.5'], 2, /'--top-p <p>' argument '1.5' is invalid/],
  [['generate', TINY, '--prompt', 'x', '--attention', 'flash'], 2, /Allowed choices are expanded, latent/],
  [['generate', TINY, '--prompt', 'x', '--ffn', 'gated'], 2, /Allowed choices are dense, sparse/],
  [['logits', TINY, '--ids', '1,x'], 2, /'--ids <ids>' argument '1,x' is invalid/],
  [['logits', TINY, '--ids', '1,2048'], 2, /^token id 2048, expected below 2048/],
  [['logits', TINY, '--ids', `${'1,'.repeat(1024)}1`], 2, /^1025 ids, expected at most 1024/],
  [['plan', TINY, '--device', 'toaster'], 2, /^unknown device "toaster", expected raspberry-pi-5, phone, /],
  [['plan', TINY, '--context', '0'], 2, /'--context <n>' argument '0' is invalid/],
  [['plan', TINY, '--context', '1025'], 2, /^a context of 1025 tokens, expected at most the model's 1024$/],
  [['plan', TINY, '--to', 'gguf:q3'], 2, /^unknown GGUF recipe "q3"/],
  [['plan', TINY, '--device-file', 'no-such.json'], 4, /^no-such\.json: no such file/],
  [['verify', TINY], 2, /^required option '--against <source>' not specified$/],
  [['verify', TINY, '--against', TINY, '--tokens', '1'], 2, /'--tokens <n>' argument '1' is invalid/],
  [['verify', TINY, '--against', TINY, '--text', 'no-such.txt'], 4, /^no-such\.txt: no such file/],
  [['inspect', 'no-such-folder'], 4, /^no-such-folder: no such file or folder$/],
  [['inspect', './no/such'], 4, /no such file or folder/],
  [['inspect', 'no/such.gguf'], 4, /no such file or folder/],
  [['pull', 'no-repository'], 2, /^"no-repository" is not a repository, expected org\/name/],
  [['push', 'x', '--repo', 'no-repository'], 2, /^"no-repository" is not a repository/],
  [
    ['convert', TINY, '--to', 'gguf:q8_0', '-o', 'x', '--stream'],
    2,
    /^--stream is for checkpoints and GGUF files on the Hub/,
  ],
  [
    ['convert', 'a/b', '--to', 'gguf:q8_0', '-o', 'x', '--stream', '--part', '1/2'],
    2,
    /^--part cannot be combined with --stream: no single part can check /,
  ],
  [['inspect', path.join(TINY, 'model.safetensors')], 2, /part of a checkpoint, expected the folder/],
  [['inspect', path.join(TINY, 'tokenizer.json')], 2, /part of a checkpoint/],
  [['inspect', fixture('text', 'eval.txt')], 3, /eval\.txt: header: at byte 0: magic/],
  [['inspect', path.join(TINY, 'config.json', 'x')], 4, /x: is not a folder \(ENOTDIR\)$/],
  [['inspect', fixture('text')], 3, /no model in this folder, expected config\.json and safetensors/],
];

const IDLE_TEXT = ['--text', fixture('text', 'eval.txt')];
const IDLE_FILE = ['--statistics', 'none.gguf'];

/**
 * Options that would have no effect beside the others: the line behind `convert TINY -o x --to`, or a whole
 * one.
 */
const IDLE: readonly [line: readonly string[], message: RegExp][] = [
  ...[
    [
      ['gguf:q4_0', '--tensor-type', 'nosuch=q8_0'],
      /^--tensor-type nosuch=Q8_0 changes nothing in gguf:q4_0: /,
    ],
    [['gguf:q4_0', '--tensor-type', 'attn_norm=q8_0'], /^--tensor-type attn_norm=Q8_0 changes nothing/],
    [
      ['webgpu:q4', '--tensor-type', 'nosuch=q8'],
      /^--tensor-type nosuch=Q8_0 changes nothing in webgpu:q4: /,
    ],
    [
      ['gguf:q4_0', '--tensor-type', 'ffn_=q8_0', '--tensor-type', 'ffn_up=q4_k'],
      /^--tensor-type ffn_up=Q4_K changes nothing .*: no matrix matches it, or an earlier option decides for all that do; leave it out$/,
    ],
    [
      ['gguf:q4_0', '--token-embedding-type', 'q8_0', '--tensor-type', 'token_embd=q4_k'],
      /^--tensor-type token_embd=Q4_K changes nothing/,
    ],
    [
      ['gguf:q4_0', '--tensor-type', 'ffn_up=iq2_xxs'],
      /^blk\.0\.ffn_up\.weight cannot be stored as IQ2_XXS, which plmpress can only read, expected F32, F16, Q4_0/,
    ],
    [['gguf:q4_0', '--token-embedding-type', 'iq3_s'], /^token_embd\.weight cannot be stored as IQ3_S/],
    [['onnx:q4', '--tensor-type', 'ffn=q8_0'], /^--tensor-type is for gguf and webgpu targets/],
    [['gguf:f16', '--quality', 'best'], /^--quality best changes nothing in gguf:f16: .*; leave it out$/],
    [['onnx:q8', '--quality', 'best'], /^--quality best changes nothing in onnx:q8: none of its matrices /],
    [['webgpu:f16', '--quality', 'best'], /^--quality best changes nothing in webgpu:f16/],
    [
      ['gguf:q4_0', ...IDLE_TEXT],
      /^--text does nothing without --quality best or --verify or --target-size: add one of them, or leave out --text$/,
    ],
    [['gguf:q4_0', '--max-kld', '1'], /^--max-kld does nothing without --verify/],
    [
      ['gguf:q4_0', '--no-pass', 'absorb-mla'],
      /^--no-pass absorb-mla changes nothing in gguf:q4_0: the pass does not run there by default; /,
    ],
    [['onnx:q4', '--cache', 'expanded', '--no-pass', 'absorb-mla'], /^--no-pass absorb-mla changes nothing/],
    [
      ['onnx:q4', '--pass', 'absorb-mla', '--no-pass', 'absorb-mla'],
      /^--no-pass absorb-mla changes nothing in onnx:q4: --pass requests it/,
    ],
    [['gguf:q4_0', '--no-pass', 'fold-norm'], /^unknown pass "fold-norm" \(Did you mean fold-norms\?\)/],
    [['gguf:q4_0', '--cache', 'latent'], /^--cache is for onnx targets/],
    [['onnx:q4', '--gguf-arch', 'plm'], /^--gguf-arch is for gguf targets/],
    [['gguf:q4_0', '--pure', '--target-size', '2MB'], /^--pure cannot be combined with --target-size: /],
    [['gguf:q4_k_m', '--pure', '--kv-b-rule', '2025-03'], /^--kv-b-rule cannot be combined with --pure: /],
    [
      ['gguf:q4_k_m', '--gguf-arch', 'deepseek2', '--kv-b-rule', '2025-03'],
      /^--kv-b-rule cannot be combined with --gguf-arch deepseek2: /,
    ],
    [
      ['gguf:q4_0', '--to', 'gguf:q4_k_m', '--target-size', '2MB'],
      /^schemes are chosen by size for one GGUF, and gguf:q4_0 and gguf:q4_k_m would be the same$/,
    ],
    [
      ['gguf:q4_0', '--tensor-type', '.=q8_0', '--target-size', '9MB'],
      /^no scheme is left to choose by size: other options set those of all matrices$/,
    ],
  ].map(([line, message]): [readonly string[], RegExp] => [
    ['convert', TINY, '-o', 'x', '--to', ...(line as string[])],
    message as RegExp,
  ]),
  [
    ['sweep', TINY, '--to', 'gguf:q4_0', '--sizes', '90%', '--quality', 'fast', ...IDLE_FILE],
    /^--statistics does nothing without --quality best or --ffn-width/,
  ],
  [
    ['sweep', TINY, '--to', 'gguf:q4_0', '--sizes', '90%', '--quality', 'fast', '--force'],
    /^--force does nothing without --output or --report/,
  ],
  [['verify', TINY, '--against', TINY, '--force'], /^--force does nothing without --report/],
  [
    ['verify', TINY, '--against', TINY, '--engine', 'onnxruntime', '--device', 'webgpu'],
    /^--engine cannot be combined with --device webgpu: /,
  ],
  [
    ['plan', TINY, '--calibration-tokens', '100'],
    /^--calibration-tokens does nothing without --quality best/,
  ],
  [['pull', 'a/b', '--force'], /^--force does nothing without --output/],
  ...['--seed', '--top-k', '--top-p'].map((flag): [readonly string[], RegExp] => [
    ['generate', TINY, '--prompt', 'x', '--temperature', '0', flag, '1'],
    new RegExp(`^${flag} cannot be combined with --temperature 0: it always takes the likeliest token$`),
  ]),
];

describe('an option that would have no effect is refused:', () => {
  for (const [argv, message] of IDLE) {
    it(argv.map((word) => word.replace(TINY, 'plm-tiny').slice(0, 40)).join(' '), async () => {
      const { code, stdout, stderr } = await runCli(argv);
      assert.deepEqual([code, stdout], [2, ''], stderr);
      assert.match(stderr, /^plmpress: error: [\x20-\x7e…]{1,300}\n$/, 'nothing comes before it');
      assert.match(stderr.trimEnd().replace('plmpress: error: ', ''), message);
    });
  }

  it('conditions name options and values that there are', () => {
    const program = buildProgram(
      { stdout: process.stdout, stderr: process.stderr, env: {} },
      () => assert.fail('no command runs'),
      () => {},
    );
    let conditions = 0;
    for (const command of program.commands) {
      for (const option of command.options) {
        if (!(option instanceof ScopedOption)) continue;
        const { needed, excluded, idle } = option;
        for (const condition of [...needed, ...excluded.keys(), ...(idle === undefined ? [] : [idle])]) {
          const [flag, value] = condition.split(' ');
          const other = command.options.find(({ long }) => long === flag);
          assert.ok(other, `${command.name()} ${flag}`);
          if (other.argChoices && value) assert.ok(other.argChoices.includes(value), condition);
          conditions++;
        }
      }
    }
    assert.ok(conditions > 20);
  });
});

describe('a command line that fails', () => {
  for (const [argv, code, message] of FAILURES) {
    const line = argv.map((word) => word.replace(TINY, 'plm-tiny').slice(0, 40)).join(' ');
    it(`plmpress ${line}`, async () => {
      const { stdout, stderr, ...result } = await runCli(argv);
      assert.equal(result.code, code, stderr);
      const told = stderr.trimEnd().split('\n').at(-1)!;
      assert.match(told, /^plmpress: error: [\x20-\x7e…]{1,300}$/);
      assert.match(told.replace('plmpress: error: ', ''), message);
      assert.equal(stdout, '');

      const json = await runCli([...argv, '--json']);
      assert.equal(json.code, code);
      const document = JSON.parse(json.stdout);
      assert.deepEqual(Object.keys(document), ['error']);
      assert.equal(document.error.exitCode, code);
      assert.match(document.error.message, message);
      assert.match(document.error.class, /^(usage|invalid-input|local-io|unsupported)$/);
    });
  }
});

it('a folder of several models is not one of them', async (t) => {
  const folder = temporaryFolder(t);
  for (const name of ['b.gguf', 'a.gguf']) writeFileSync(path.join(folder, name), '');
  const { code, stderr } = await runCli(['tokenize', folder, 'text']);
  assert.equal(code, 2);
  assert.match(stderr, / holds 2 models, name one of them: \S+\/a\.gguf, \S+\/b\.gguf$/m);
});

/** A stream whose reader has gone, or whose disk is full. */
function failingStream(code: string): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error(), { code })) });
}

describe('standard output that takes no more', () => {
  const rows: readonly [code: string, exit: number, told: string][] = [
    ['EPIPE', 0, ''],
    ['ENOSPC', 4, 'plmpress: error: stdout: no space left on the device (ENOSPC)\n'],
  ];
  for (const [code, exit, told] of rows) {
    for (const argv of [['schemes'], ['--help'], ['help', 'convert'], ['--version']]) {
      it(`${code}, ${argv.join(' ')}`, async () => {
        let text = '';
        const stderr = new Writable({
          write(chunk, _encoding, done) {
            text += chunk;
            done();
          },
        });
        assert.equal(await main(argv, { stdout: failingStream(code), stderr, env: { CI: '1' } }), exit);
        assert.equal(text, told);
      });
    }
  }
});

it('standard error that takes no more changes nothing', async (t) => {
  const output = path.join(temporaryFolder(t), 'out');
  const [stdout, stderr] = [failingStream('EPIPE'), failingStream('EPIPE')];
  const argv = ['convert', TINY, '--to', 'gguf:q8_0', '-o', output];
  assert.equal(await main(argv, { stdout, stderr, env: { CI: '1' } }), 0);
  assert.deepEqual(readdirSync(output).sort(), ['plm-tiny-Q8_0.gguf', 'plmpress.json']);
});

describe('help', () => {
  it('without arguments is short, with two examples', async () => {
    const { code, stdout, stderr } = await runCli([]);
    assert.deepEqual([code, stderr], [0, '']);
    assert.ok(stdout.split('\n').length < 10);
    assert.match(stdout, /plmpress convert .*\n.*plmpress verify /);
  });

  it('lists every command of this version in groups, examples and exit codes', async () => {
    const { code, stdout, stderr } = await runCli(['--help']);
    assert.deepEqual([code, stderr], [0, '']);
    for (const group of [
      ...['Convert:', 'Hub:', 'Parallel jobs:', 'Inspect:', 'Run:', 'Set up:'],
      ...['Examples:', 'Exit codes:'],
    ])
      assert.match(stdout, new RegExp(group));
    const commands = [...stdout.matchAll(/^ {2}([a-z]+) .*? {2}/gm)].map((match) => match[1]);
    const expected = [
      'convert',
      'verify',
      'calibrate',
      'sweep',
      'reproduce',
      'pull',
      'push',
      'matrix',
      'merge',
      'inspect',
      'diff',
      'plan',
      'schemes',
      'passes',
      'help',
      'generate',
      'logits',
      'tokenize',
      'serve',
      'doctor',
      'completion',
    ];
    assert.deepEqual(commands.filter((name) => name !== 'plmpress').slice(0, expected.length), expected);
  });

  for (const name of [
    'convert',
    'verify',
    'calibrate',
    'sweep',
    'reproduce',
    'pull',
    'push',
    'matrix',
    'merge',
    'inspect',
    'diff',
    'plan',
    'schemes',
    'passes',
    'generate',
    'logits',
    'tokenize',
    'serve',
    'doctor',
    'completion',
  ]) {
    it(`of ${name} shows the global options too`, async () => {
      const { code, stdout } = await runCli([name, '--help']);
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`^Usage: plmpress ${name}`));
      for (const option of ['--json', '--quiet', '--debug', '--no-color'])
        assert.match(stdout, new RegExp(option));
      assert.equal((await runCli(['help', name])).stdout, stdout);
      for (const line of stdout.split('\n')) assert.ok(line.length <= 80, line);
    });
  }

  it('says the version of the package', async () => {
    assert.deepEqual(await runCli(['--version']), { code: 0, stdout: `${VERSION}\n`, stderr: '' });
  });
});

describe('errors', () => {
  it('are coloured on a terminal only', async () => {
    const colored = await runCli(['inspect', 'nowhere'], { tty: true });
    assert.ok(colored.stderr.startsWith('plmpress: \u001b[31merror:\u001b[39m nowhere'));
    for (const world of [
      { tty: false },
      { tty: true, env: { NO_COLOR: '1' } },
      { tty: true, env: { TERM: 'dumb' } },
    ]) {
      assert.match((await runCli(['inspect', 'nowhere'], world)).stderr, /^plmpress: error: nowhere/);
    }
    assert.match(
      (await runCli(['inspect', 'nowhere', '--no-color'], { tty: true })).stderr,
      /^plmpress: error:/,
    );
  });

  it('show their stack with --debug only', async () => {
    assert.doesNotMatch((await runCli(['inspect', 'nowhere'])).stderr, /\n {4}at /);
    assert.match(
      (await runCli(['inspect', 'nowhere', '--debug'])).stderr,
      /error: nowhere.*\nPressError: .*\n {4}at /,
    );
  });

  it('show no token of the Hub', async () => {
    const { stdout, stderr } = await runCli(['inspect', 'hf_abcDEF123', '--debug', '--json']);
    assert.doesNotMatch(stdout + stderr, /abcDEF123/);
    assert.match(stderr, /hf_…/);
  });

  it('come even where --quiet is asked for', async () => {
    assert.match((await runCli(['inspect', 'nowhere', '--quiet'])).stderr, /^plmpress: error: nowhere/);
  });

  it('cannot move the cursor', async (t) => {
    const { stderr } = await runCli(['inspect', path.join(temporaryFolder(t), '\x1b[2J\nx')]);
    assert.match(stderr, /^plmpress: error: [\x20-\x7e…]+\n$/);
  });
});
