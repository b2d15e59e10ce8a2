import { writeSync } from 'node:fs';
import { listenForInterruption } from '../../src/cli/interruption.ts';

/** A program that a first signal sends into work without an end. It says `ready`, then `busy`. */
listenForInterruption().signal.addEventListener('abort', () => {
  writeSync(1, 'busy');
  for (;;);
});
setInterval(() => {}, 1000);
writeSync(1, 'ready');
