import { closeSync, openSync } from 'node:fs';
import { runCli } from './run-cli.ts';

/**
 * A process of its own under a limit of open files: `few-files-driver ARG…` runs a command line of plmpress,
 * once with all of them (to a folder `all`), so that code is loaded, then with 0, 1, 2, … (to folders of
 * these names) until a run succeeds. Prints a line of JSON a run.
 */
const argv = process.argv.slice(2);
for (let free: number | 'all' = 'all', code = -1; code !== 0 || free === 0; ) {
  const held = free === 'all' ? [] : holdAll();
  for (const file of held.splice(0, Number(free) || 0)) closeSync(file);
  const result = await runCli([...argv, '-o', String(free)]);
  for (const file of held) closeSync(file);
  process.stdout.write(`${JSON.stringify({ free, ...result })}\n`);
  code = free === 'all' ? -1 : result.code;
  free = free === 'all' ? 0 : free + 1;
}

/** Opens files until no more can be. */
function holdAll(): number[] {
  const held: number[] = [];
  try {
    for (;;) held.push(openSync('/dev/null', 'r'));
  } catch {
    return held;
  }
}
