import { existsSync, readFileSync } from 'node:fs';

const STATUS = '/proc/self/status';

/**
 * Peak memory of this process in bytes. Linux reports it per process; the value of getrusage there starts at
 * the size of the parent.
 */
export function peakRss(): number {
  const match = existsSync(STATUS) ? /VmHWM:\s*(\d+) kB/.exec(readFileSync(STATUS, 'utf8')) : null;
  const kilobytes = match === null ? process.resourceUsage().maxRSS : Number(match[1]);
  return kilobytes * 1024;
}
