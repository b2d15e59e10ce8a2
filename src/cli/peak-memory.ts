import { existsSync, readFileSync } from 'node:fs';

const STATUS = '/proc/self/status';

/**
 * Most bytes that this process has held so far. Linux knows them by process; what getrusage tells there
 * starts at the size of the parent.
 */
export function peakRss(): number {
  const match = existsSync(STATUS) ? /VmHWM:\s*(\d+) kB/.exec(readFileSync(STATUS, 'utf8')) : null;
  const kilobytes = match === null ? process.resourceUsage().maxRSS : Number(match[1]);
  return kilobytes * 1024;
}
