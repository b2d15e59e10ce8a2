import { readdirSync } from 'node:fs';
import path from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

/**
 * Runs every compiled test file (or those whose path contains an argument) and closes with one line that
 * counts tests, `N passed, N failed`. A skipped test prints its reason: nothing is skipped silently.
 */
const here = path.dirname(fileURLToPath(import.meta.url));
const wanted = process.argv.slice(2);

const files = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.js'))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .map((file) => path.join(here, file))
  // Those of webgpu take longest: were they last, the very last would have a core idle.
  .sort()
  .reverse();

/**
 * More would take more memory than small machines have: some files start browsers, some compare whole models.
 */
const FILES_AT_ONCE = 2;

const counts = { passed: 0, failed: 0, skipped: 0 };
const skipReasons: string[] = [];

// Most files keep one core busy; those that start worker pools or other processes only wait a little longer
// beside another.
const stream = run({ files, concurrency: FILES_AT_ONCE, timeout: 10 * 60_000 });
stream.on('test:pass', ({ name, details, skip }) => {
  if (details.type === 'suite') return;
  if (skip === undefined) counts.passed++;
  else {
    counts.skipped++;
    skipReasons.push(`${name}: ${String(skip)}`);
  }
});
stream.on('test:fail', ({ details }) => {
  if (details.type !== 'suite') counts.failed++;
});
stream.compose(new spec()).pipe(process.stdout);

process.on('exit', () => {
  for (const reason of skipReasons) process.stdout.write(`skipped: ${reason}\n`);
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
  process.stdout.write(`${counts.passed} passed, ${counts.failed} failed${skipped}\n`);
  if (counts.failed > 0 || counts.passed === 0) process.exitCode = 1;
});
