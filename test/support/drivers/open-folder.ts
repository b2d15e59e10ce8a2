import { existsSync, readFileSync, writeSync } from 'node:fs';
import { openHfFolder } from '../../../formats/hf/import.ts';
import { PressError } from '../../../src/core/errors.ts';
import { closeModel } from '../../../src/core/model.ts';

/**
 * A process of its own that opens the folder of its argument: prints one line and exits with the code of the
 * failure.
 */
try {
  await closeModel(await openHfFolder(process.argv[2]!));
} catch (error) {
  if (!(error instanceof PressError)) throw error;
  process.exitCode = error.exitCode;
  writeSync(1, `${error.message}\n`);
}
writeSync(1, `peak ${peakKilobytes()}\n`);

/** Most memory of this process; what the kernel reports as maxRSS starts at the size of the parent. */
function peakKilobytes(): number {
  const status = '/proc/self/status';
  if (!existsSync(status)) return process.resourceUsage().maxRSS;
  return Number(/VmHWM:\s*(\d+)/.exec(readFileSync(status, 'utf8'))![1]);
}
