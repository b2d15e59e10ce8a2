import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { githubAction } from '../../src/cli/github-action.ts';
import { makeTheme } from '../../src/cli/ui/terminal/theme.ts';
import { HOSTILE_TEXT, UNPRINTABLE } from '../support/builders/hostile-texts.ts';
import { writeTinyCheckpoint } from '../support/builders/tiny-checkpoint.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** What YAML of a card can hold of it: the reader takes no control characters. */
const CARD_TEXT = '<script>alert(1)</script> [a](javascript:b) www.evil.example \u202e\u200b ##[error]x';

const cleanups: (() => void)[] = [];
let [checkpoint, made] = ['', ''];

before(async () => {
  const folder = temporaryFolder({ after: (clean) => cleanups.push(clean as () => void) });
  [checkpoint, made] = [path.join(folder, 'checkpoint'), path.join(folder, 'made')];
  writeTinyCheckpoint(checkpoint);
  const edit = (name: string, change: (json: Record<string, unknown>) => void) => {
    const file = path.join(checkpoint, name);
    const json = JSON.parse(readFileSync(file, 'utf8'));
    change(json);
    writeFileSync(file, JSON.stringify(json));
  };
  edit('config.json', (config) =>
    Object.assign(config, { _name_or_path: HOSTILE_TEXT, torch_dtype: HOSTILE_TEXT }),
  );
  edit('tokenizer_config.json', (config) =>
    Object.assign(config, {
      chat_template: HOSTILE_TEXT,
      added_tokens_decoder: undefined,
      eos_token: HOSTILE_TEXT,
      pad_token: null,
    }),
  );
  edit('tokenizer.json', (tokenizer) => {
    const added = tokenizer.added_tokens as { id: number; content: string }[];
    added.find(({ id }) => id === 2002)!.content = HOSTILE_TEXT;
  });
  const keys = ['license', 'license_name', 'license_link', 'base_model', 'datasets', 'language', 'tags'];
  const card = keys.map((key) => `${key}: '${CARD_TEXT}'`);
  writeFileSync(path.join(checkpoint, 'README.md'), ['---', ...card, '---', ''].join('\n'));
  const { code, stderr } = await runCli([
    'convert',
    checkpoint,
    '--to',
    'gguf:q8_0',
    '--to',
    'webgpu:f16',
    '-o',
    made,
  ]);
  assert.equal(code, 0, stderr);
  renameModel();
});
after(() => {
  for (const clean of cleanups) clean();
});

/** Gives the record a hostile source, as a GGUF of that name would. */
function renameModel(): void {
  const file = path.join(made, 'plmpress.json');
  const record = JSON.parse(readFileSync(file, 'utf8'));
  for (const artifact of record.artifacts) {
    artifact.source.name = HOSTILE_TEXT;
    artifact.version = HOSTILE_TEXT;
    artifact.options[HOSTILE_TEXT] = HOSTILE_TEXT;
    artifact.changes.push({
      pass: HOSTILE_TEXT,
      subject: HOSTILE_TEXT,
      from: HOSTILE_TEXT,
      to: HOSTILE_TEXT,
      reason: HOSTILE_TEXT,
    });
    artifact.fallbacks.push({
      tensor: HOSTILE_TEXT,
      wanted: HOSTILE_TEXT,
      used: HOSTILE_TEXT,
      reason: HOSTILE_TEXT,
    });
  }
  record.tool.version = HOSTILE_TEXT;
  writeFileSync(file, JSON.stringify(record));
}

describe('a model whose texts are hostile leaves terminal and log alone:', () => {
  const gguf = () => path.join(made, 'checkpoint-Q8_0.gguf');
  const commands: readonly [command: string, argv: () => string[]][] = [
    ['inspect', () => ['inspect', checkpoint]],
    ['inspect of an artifact', () => ['inspect', gguf()]],
    ['plan', () => ['plan', checkpoint, '--to', 'gguf:q8_0']],
    [
      'convert --dry-run',
      () => ['convert', checkpoint, '--to', 'gguf:q4_k_m', '-o', path.join(made, 'x'), '--dry-run'],
    ],
    ['verify', () => ['verify', gguf(), '--against', checkpoint, '--tokens', '8']],
    ['diff', () => ['diff', checkpoint, gguf()]],
    ['diff of another model', () => ['diff', gguf(), path.join(made, 'webgpu-f16')]],
    ['push --dry-run', () => ['push', made, '--repo', 'a/b', '--dry-run']],
    ['reproduce', () => ['reproduce', made, '--from', checkpoint]],
    ['matrix', () => ['matrix', '--model', HOSTILE_TEXT, '--to', 'gguf:q8_0']],
    ['tokenize', () => ['tokenize', checkpoint, HOSTILE_TEXT, '--special']],
    ['a source that is missing', () => ['inspect', '--debug', `./${HOSTILE_TEXT.replaceAll('\0', '')}`]],
  ];
  for (const [command, argv] of commands) {
    for (const flags of [[], ['--json']]) {
      it([command, ...flags].join(' '), async () => {
        const { code, stdout, stderr } = await runCli([...argv(), ...flags], {
          env: { HF_HUB_OFFLINE: '1' },
        });
        assert.ok(code !== 1, stderr);
        for (const line of [...stdout.split('\n'), ...stderr.split('\n')]) {
          assert.doesNotMatch(line, UNPRINTABLE);
          assert.doesNotMatch(line, /^\s*::|##\w*\[/);
          assert.doesNotMatch(line, /^plmpress: error: forged/);
        }
        if (flags.includes('--json')) JSON.parse(stdout);
      });
    }
  }

  it('a terminal with colours gets those of plmpress alone', async () => {
    const { stdout } = await runCli(['inspect', checkpoint], { tty: true, env: { FORCE_COLOR: '1' } });
    const { bold, dim } = makeTheme(true);
    assert.ok(stdout.includes(bold('Model')));
    const codes = [bold(''), dim('')].flatMap((text) => text.split(/(?<=m)/));
    const plain = codes.reduce((text, code) => text.replaceAll(code, ''), stdout.replaceAll('\n', ''));
    assert.doesNotMatch(plain, UNPRINTABLE);
  });
});

describe('a step of GitHub Actions', () => {
  it('tells of a failure in one command and one line of the summary, and ends no output', async (t) => {
    const folder = temporaryFolder(t);
    const [output, summary] = [path.join(folder, 'output'), path.join(folder, 'summary')];
    let text = '';
    const stdout = new (await import('node:stream')).Writable({
      write(chunk, _, done) {
        text += chunk;
        done();
      },
    });
    const env = {
      GITHUB_OUTPUT: output,
      GITHUB_STEP_SUMMARY: summary,
      RUNNER_TEMP: folder,
      HF_HUB_OFFLINE: '1',
      CI: '1',
      PLMPRESS_MODEL: `./${HOSTILE_TEXT}`,
      PLMPRESS_TARGETS: 'gguf:q8_0',
      PLMPRESS_OUTPUT: path.join(folder, 'a\nb'),
    };
    assert.notEqual(await githubAction({ stdout, stderr: stdout, env }), 0);
    const lines = text.split('\n');
    assert.equal(lines.filter((line) => line.startsWith('::')).length, 1);
    for (const line of lines) assert.doesNotMatch(line, UNPRINTABLE);
    const markdown = readFileSync(summary, 'utf8');
    assert.doesNotMatch(markdown, /<script|\]\(javascript|^#/m);
    const [, delimiter] = /^path<<(\S+)$/m.exec(readFileSync(output, 'utf8'))!;
    assert.match(delimiter!, /^plmpress-[0-9a-f]{32}$/);
  });
});
