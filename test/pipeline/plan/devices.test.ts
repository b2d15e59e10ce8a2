import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { readDevices, selectDevices, usableBytes } from '../../../src/pipeline/plan/devices.ts';
import { pressFailure } from '../../support/press-failure.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const BOARD = { name: 'board', bytesPerSecond: 12_800_000_000, memoryBytes: 4_000_000_000, usableShare: 0.8 };

function deviceFile(t: TestContext, content: unknown): string {
  const file = path.join(temporaryFolder(t), 'devices.json');
  writeFileSync(file, JSON.stringify(content));
  return file;
}

/** Contents that are refused: what the message says after the file's name. */
const REFUSED: readonly [content: unknown, message: RegExp][] = [
  [[], /: wrong value, got \[\], expected an object$/],
  [{}, /: devices: missing, expected an array$/],
  [{ devices: [] }, /: devices: wrong value, got \[\], expected at least one device$/],
  [{ devices: [BOARD], more: 1 }, /: more: unknown field, expected devices$/],
  [{ devices: [{ ...BOARD, bandwidth: 1 }] }, /: devices\[0\]\.bandwidth: unknown field, expected name, /],
  [{ devices: [{ ...BOARD, name: 'My board' }] }, /: devices\[0\]\.name: wrong value, got "My board"/],
  [{ devices: [{ ...BOARD, name: 'phone' }] }, /: devices\[0\]\.name: .* a name that no other device has$/],
  [{ devices: [BOARD, BOARD] }, /: devices\[1\]\.name: .* a name that no other device has$/],
  [{ devices: [{ ...BOARD, bytesPerSecond: 0 }] }, /: devices\[0\]\.bytesPerSecond: wrong value, got 0/],
  [{ devices: [{ ...BOARD, memoryBytes: '4GB' }] }, /: devices\[0\]\.memoryBytes: wrong value, got "4GB"/],
  [{ devices: [{ ...BOARD, usableShare: 1.5 }] }, /: devices\[0\]\.usableShare: wrong value, got 1\.5/],
  [{ devices: [{ ...BOARD, usableShare: undefined }] }, /: devices\[0\]\.usableShare: missing/],
  [{ devices: Array(101).fill(BOARD) }, /: devices: .* expected at most 100 items$/],
];

describe('readDevices', () => {
  it('reads profiles', async (t) => {
    const [board] = await readDevices(deviceFile(t, { devices: [BOARD] }));
    assert.deepEqual(board, BOARD);
    assert.equal(usableBytes(board!), 3_200_000_000);
  });

  for (const [content, message] of REFUSED) {
    it(`refuses ${JSON.stringify(content).slice(0, 90)}`, async (t) => {
      await assert.rejects(readDevices(deviceFile(t, content)), pressFailure('invalid-input', message));
    });
  }

  it('tells a missing file', async () => {
    await assert.rejects(readDevices('no-such.json'), pressFailure('local-io', /no such file/));
  });
});

describe('selectDevices', () => {
  it('keeps the order of the table', () => {
    const known = ['a', 'b', 'c'].map((name) => ({ ...BOARD, name }));
    assert.deepEqual(
      selectDevices(known, ['c', 'a', 'c']).map(({ name }) => name),
      ['a', 'c'],
    );
    assert.throws(
      () => selectDevices(known, ['d']),
      pressFailure('usage', /unknown device "d", expected a, b, c$/),
    );
  });
});
