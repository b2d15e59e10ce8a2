import assert from 'node:assert/strict';

/**
 * A guard of complexity, no claim of speed: what it guards takes well under a second on any machine of today
 * where time is linear, and minutes where it is quadratic.
 */
const MAX_SECONDS = 10;

/**
 * Begins to count processor time, which other processes do not lengthen; the result asserts that it was not
 * too long.
 */
export function guardTime(): () => void {
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    assert.ok((user + system) / 1e6 < MAX_SECONDS, `takes ${(user + system) / 1e6} s`);
  };
}
