import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

/**
 * Aborts work at a turn that it gives to other events, the first or a later one, and holds that it ends by
 * that. A second passes between any two looks at the clock, so that work of any size gives turns as long work
 * does.
 */
export async function assertEndsAtTurn(
  t: TestContext,
  work: (signal: AbortSignal) => Promise<unknown>,
  turn = 1,
): Promise<void> {
  let seconds = 0;
  const clock = t.mock.method(performance, 'now', () => 1000 * seconds++);
  const controller = new AbortController();
  const reason = new Error('interrupted');
  const abortAfter = (turns: number): void => {
    setImmediate(() => (turns === 1 ? controller.abort(reason) : abortAfter(turns - 1)));
  };
  abortAfter(turn);
  await assert.rejects(work(controller.signal), (error) => error === reason);
  clock.mock.restore();
}
