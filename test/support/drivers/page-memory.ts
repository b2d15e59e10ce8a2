import { existsSync, readFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';

/** Why the memory of pages cannot be read; false where it can. */
export const NO_PAGE_MEMORY: string | false =
  !existsSync('/proc/self/status') && 'the system has no /proc, where the memory of a page is read';

const INTERVAL_MS = 10;

/**
 * Most bytes of its own that the processes of pages hold at once during `work`, beyond what they hold before.
 */
export async function peakOfPages(browser: Browser, work: () => Promise<unknown>): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  const ids = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
  const held = () => ids.reduce((sum, id) => sum + ownBytes(id), 0);
  const before = held();
  let peak = before;
  const timer = setInterval(() => {
    peak = Math.max(peak, held());
  }, INTERVAL_MS);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return peak - before;
}

/** Resident memory that stands for no file. */
function ownBytes(id: number): number {
  const status = readFileSync(`/proc/${id}/status`, 'utf8');
  const kib = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)![1]);
  return 1024 * (kib('RssAnon') + kib('RssShmem'));
}
