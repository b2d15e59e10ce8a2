import { writeSync } from 'node:fs';
import { listenForInterruption } from '../../../src/cli/interruption.ts';
import { makeTheme } from '../../../src/cli/ui/terminal/theme.ts';

// What hides the cursor looks for a terminal when it is loaded.
Object.defineProperty(process.stderr, 'isTTY', { value: true });
const { makeReporter } = await import('../../../src/cli/ui/reporter.ts');

/**
 * A program with a moving line, which a first signal sends into work without an end. It says `ready`, then
 * `busy`.
 */
const interruption = listenForInterruption();
const reporter = makeReporter({ stream: process.stderr, style: 'animated', theme: makeTheme(false) });
reporter.progress({ kind: 'phase', name: 'wait' });
interruption.signal.addEventListener('abort', () => {
  writeSync(1, 'busy');
  for (;;);
});
setInterval(() => {}, 1000);
writeSync(1, 'ready');
