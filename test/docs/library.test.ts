import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { checkpointFiles } from '../support/builders/hub-checkpoint.ts';
import { codeBlocks } from '../support/drivers/command-lines.ts';
import { HubServer } from '../support/fakes/hub-server.ts';
import { fixture, repoRoot } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const PAGE = readFileSync(path.join(repoRoot, 'docs', 'library.md'), 'utf8');
const EXAMPLES = codeBlocks(PAGE, ['js']);
const TSC = path.join(repoRoot, 'node_modules', '.bin', 'tsc');

/** What the examples print, in their order. That of a sweep takes a minute: others run sweeps. */
const PRINTED: readonly (RegExp | undefined)[] = [
  /^plm-tiny 4\d{6} \d+$/,
  /^plm-tiny-Q8_0\.gguf 4\d{6}\n(\S+ \d+\n)+gguf:q8_0 \d\S*\nonnx:q4 \d\S*$/,
  /^plm-tiny-Q8_0\.gguf true \[\]\nonnx\/\S+ true \[\]$/,
  /^gguf:q8_0 4\d{6}\ngguf:q4_k_m 2\d{6}\ntrue \d\S* (1|0\.9\d*)$/,
  /^$/,
  undefined,
  /\n-?\d+\.\d+\n-?\d+\.\d+\n-?\d+\.\d+$/,
  /^true$/,
  /^[0-9a-f]{40} \S+\n[0-9a-f]{40}\nPLM-1\.8B-Instruct$/,
  /^Error: enough$/,
];

it('every example of docs/library.md has sound types and runs', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(path.join(folder, 'node_modules', '@types'), { recursive: true });
  symlinkSync(repoRoot, path.join(folder, 'node_modules', 'plmpress'));
  symlinkSync(
    path.join(repoRoot, 'node_modules', '@types', 'node'),
    path.join(folder, 'node_modules', '@types', 'node'),
  );
  cpSync(fixture('plm-tiny'), path.join(folder, 'plm-tiny'), { recursive: true });
  const files = EXAMPLES.map((code, index) => {
    const file = path.join(folder, `${index}.mjs`);
    writeFileSync(file, code);
    return file;
  });
  const options = ['--noEmit', '--allowJs', '--checkJs', '--strict', '--types', 'node'];
  const language = ['--target', 'es2023', '--lib', 'es2023', '--module', 'nodenext'];
  const checked = spawnSync(TSC, [...options, ...language, ...files], { cwd: folder, encoding: 'utf8' });
  assert.equal(checked.stdout, '');
  assert.equal(checked.status, 0);

  const server = await HubServer.start(t);
  server.commit('PLM-Team/PLM-1.8B-Instruct', checkpointFiles());
  const env = { PATH: process.env.PATH, ...server.env(path.join(folder, 'cache')) };
  assert.equal(EXAMPLES.length, PRINTED.length);
  for (const [index, file] of files.entries()) {
    const printed = PRINTED[index];
    if (printed === undefined) continue;
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], { cwd: folder, env });
    assert.equal(stderr, '');
    assert.match(stdout.trim(), printed, `example ${index}`);
  }
});

it('no module inside the package can be reached', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(path.join(folder, 'node_modules'));
  symlinkSync(repoRoot, path.join(folder, 'node_modules', 'plmpress'));
  const asked = [
    'plmpress/dist/src/index.js',
    'plmpress/dist/src/core/errors.js',
    'plmpress/bin/plmpress.js',
  ];
  for (const name of asked) {
    const file = path.join(folder, 'ask.mjs');
    writeFileSync(file, `await import('${name}').catch(({ code }) => console.log(code));`);
    const { stdout } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
    assert.equal(stdout, 'ERR_PACKAGE_PATH_NOT_EXPORTED\n');
  }
  const [conditions] = [JSON.parse(readFileSync(path.join(repoRoot, 'package.json'), 'utf8')).exports['.']];
  assert.equal(Object.keys(conditions)[0], 'types');
});
