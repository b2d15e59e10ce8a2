import { writeSync } from 'node:fs';
import { runCli } from './run-cli.ts';

/**
 * A process of its own that runs the command lines of its one argument, a JSON array, one after the other.
 */
for (const argv of JSON.parse(process.argv[2]!)) {
  const { code, stderr } = await runCli(argv);
  if (code === 0) continue;
  writeSync(2, stderr);
  process.exit(code);
}
