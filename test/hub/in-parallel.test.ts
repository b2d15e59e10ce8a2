import assert from 'node:assert/strict';
import test from 'node:test';
import { inParallel } from '../../src/hub/cache/snapshot.ts';
import { hubSettings } from '../../src/hub/settings.ts';

const settings = hubSettings({ HOME: '/nonexistent' });
const FILES = Array.from({ length: 6 }, (_, i) => ({ path: `${i}`, bytes: 10 }));

test('of several transfers, four at a time, the first that fails ends the others and begins no more', async () => {
  const begun: string[] = [];
  const work = inParallel(FILES, { settings }, async ({ path }, signal) => {
    begun.push(path);
    if (path === '2') throw new Error('no room');
    await new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  });
  await assert.rejects(work, { message: 'no room' });
  assert.deepEqual(begun, ['0', '1', '2', '3']);
});

test('of several transfers the progress is that of all, fewer bytes where one begins anew', async () => {
  const done: number[] = [];
  await inParallel(
    FILES.slice(0, 2),
    { settings, progress: (event) => event.kind === 'advance' && done.push(event.done) },
    async (_, __, onBytes) => {
      for (const bytes of [4, 0, 10]) onBytes(bytes);
    },
  );
  assert.deepEqual(done, [4, 0, 10, 14, 10, 20]);
});
