import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { programWords } from '../../src/cli/completion/words.ts';
import { idleProgram } from '../support/drivers/idle-program.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { typeInShell } from '../support/drivers/typed-shell.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const SHELLS = ['bash', 'zsh', 'fish', 'powershell'];

/** Lines with tabs, and the words that they become. */
const TYPED: readonly (readonly [keys: string, words: string])[] = [
  ['plmpress conv\tc --to gguf:tq1\t--verif\t', '<convert><c><--to><gguf:tq1_0><--verify>'],
  [
    'plmpress --json swe\tc --to=gguf:q3_k_l\t--quality fas\t',
    '<--json><sweep><c><--to=gguf:q3_k_l><--quality><fast>',
  ],
  ['plmpress convert --gguf-arch=dee\t--pass prune\t', '<convert><--gguf-arch=deepseek2><--pass><prune-ffn>'],
  [
    'plmpress convert --no-pass trim\t--token-embedding-type q5_k\t',
    '<convert><--no-pass><trim-vocab><--token-embedding-type><q5_k>',
  ],
  ['plmpress plan check\t --device rasp\t', '<plan><check point/><--device><raspberry-pi-5>'],
  ['plmpress calibrate --device webg\t-o stat\t', '<calibrate><--device><webgpu><-o><stats.gguf>'],
  ['plmpress help repr\t', '<help><reproduce>'],
  ['plmpress completion power\t', '<completion><powershell>'],
];

/** Starts of words, and all that is offered for them. */
const OFFERED: readonly (readonly [line: string, words: readonly string[]])[] = [
  ['plmpress m', ['matrix', 'merge']],
  ['plmpress convert x --to onnx:q', ['onnx:q4', 'onnx:q4f16', 'onnx:q8']],
  ['plmpress sweep x --to webgpu', []],
  ['plmpress plan x --device ', ['jetson-orin-nano', 'laptop', 'phone', 'raspberry-pi-5']],
  ['plmpress verify x --re', ['--report']],
  ['plmpress convert x --threads ', []],
];

function lacks(program: string): string | false {
  const found = spawnSync(program, ['--version']).error === undefined;
  return found ? false : `${program} is not installed`;
}

async function scriptFile(t: TestContext, shell: string): Promise<{ folder: string; file: string }> {
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'completion');
  writeFileSync(file, (await runCli(['completion', shell])).stdout);
  mkdirSync(path.join(folder, 'here', 'check point'), { recursive: true });
  writeFileSync(path.join(folder, 'here', 'stats.gguf'), '');
  return { folder: path.join(folder, 'here'), file };
}

describe('plmpress completion', () => {
  it('covers every command and option of the program, in every shell', async () => {
    const program = idleProgram();
    const { commands } = programWords(program);
    assert.equal(commands.length, program.commands.length + 1);
    for (const shell of SHELLS) {
      const { code, stdout, stderr } = await runCli(['completion', shell]);
      assert.deepEqual([code, stderr], [0, '']);
      for (const { name, options } of commands) {
        assert.match(stdout, new RegExp(`\\b${name}\\b`));
        for (const flag of options.flatMap(({ flags }) => flags)) {
          const written =
            shell === 'fish' ? flag.replace(/^--?/, flag.startsWith('--') ? '-l ' : '-s ') : flag;
          assert.ok(stdout.includes(written), `${shell}: ${name} ${flag}`);
        }
      }
    }
    const json = JSON.parse((await runCli(['completion', 'bash', '--json'])).stdout);
    assert.deepEqual(json, { shell: 'bash', script: (await runCli(['completion', 'bash'])).stdout });
  });

  it('completes what is typed into bash', { skip: lacks('bash') || lacks('script') }, async (t) => {
    const { folder, file } = await scriptFile(t, 'bash');
    const shell = { command: 'bash --norc -i', setUp: [`source '${file}'`], cwd: folder };
    const typed = await typeInShell(
      shell,
      TYPED.map(([keys]) => keys),
    );
    assert.deepEqual(
      typed,
      TYPED.map(([, words]) => words),
    );
  });

  it('offers in bash what goes on with a word', { skip: lacks('bash') }, async (t) => {
    const { file } = await scriptFile(t, 'bash');
    for (const [line, words] of OFFERED) {
      const ask = `source "$1"; COMP_LINE=$2 COMP_POINT=\${#2} COMP_WORDBREAKS=' '; _plmpress; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', ask, 'bash', file, line], {
        encoding: 'utf8',
      });
      assert.equal(stderr, '');
      assert.deepEqual(stdout.split('\n').filter(Boolean).sort(), [...words], line);
    }
  });

  it('completes what is typed into zsh', { skip: lacks('zsh') || lacks('script') }, async (t) => {
    const { folder, file } = await scriptFile(t, 'zsh');
    const setUp = ['autoload -U compinit', 'compinit -u -D', `source '${file}'`];
    const typed = await typeInShell(
      { command: 'zsh -f -i', setUp, cwd: folder },
      TYPED.map(([keys]) => keys),
    );
    assert.deepEqual(
      typed,
      TYPED.map(([, words]) => words.replace('point/', 'point')),
    );
  });

  it('offers in fish what goes on with a word', { skip: lacks('fish') }, async (t) => {
    const { folder, file } = await scriptFile(t, 'fish');
    for (const [line, words] of [...OFFERED, ['plmpress inspect check', ['check point/']] as const]) {
      const ask = 'source $argv[1]; complete -C $argv[2]';
      const { stdout, stderr } = spawnSync('fish', ['-N', '-c', ask, file, line], {
        cwd: folder,
        encoding: 'utf8',
        env: { PATH: process.env.PATH, HOME: folder },
      });
      assert.equal(stderr, '');
      const offered = stdout.split('\n').map((row) => row.split('\t')[0]!);
      assert.deepEqual(offered.filter(Boolean).sort(), [...words], line);
    }
  });

  it('offers in PowerShell what goes on with a word', { skip: lacks('pwsh') }, async (t) => {
    const { file } = await scriptFile(t, 'powershell');
    for (const [line, words] of OFFERED.filter(([, offered]) => offered.length > 0)) {
      const ask = `Get-Content -Raw '${file}' | Invoke-Expression; (TabExpansion2 '${line}' ${line.length}).CompletionMatches.CompletionText`;
      const { stdout } = spawnSync('pwsh', ['-NoProfile', '-Command', ask], { encoding: 'utf8' });
      assert.deepEqual(stdout.split('\n').filter(Boolean).sort(), [...words], line);
    }
  });
});
