import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';
import { codeBlocks, commandsOf, wordsOf } from '../support/drivers/command-lines.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { repoRoot } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const README = readFileSync(path.join(repoRoot, 'README.md'), 'utf8');

/** What differs from run to run. */
function withoutCosts(text: string): string {
  return text.replace(/[\d.]+ m?s, peak memory [\d.]+ MB/, 'SECONDS, peak memory BYTES');
}

it('the first command of README prints what stands below it', async (t) => {
  const [first] = commandsOf(README, 'README.md');
  const output = temporaryFolder(t);
  const words = wordsOf(first!.line, '/').map((word) => (word === 'out/plm-tiny' ? output : word));
  const argv = words.map((word) => (word === 'fixtures/plm-tiny' ? path.join(repoRoot, word) : word));
  const { code, stdout, stderr } = await runCli(argv);
  assert.equal(code, 0, stderr);
  assert.equal(withoutCosts(stdout), withoutCosts(codeBlocks(README, ['text'])[0]!));
});
