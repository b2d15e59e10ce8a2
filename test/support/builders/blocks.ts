import assert from 'node:assert/strict';
import { SCHEMES, type SchemeName } from '../../../src/core/scheme.ts';

/** Asserts that two runs of blocks are equal, and tells where they differ rather than printing them. */
export function assertSameBytes(actual: Uint8Array, expected: Uint8Array, scheme: SchemeName): void {
  assert.equal(actual.length, expected.length);
  if (Buffer.compare(actual, expected) === 0) return;
  const differing = actual.reduce((count, byte, i) => count + (byte === expected[i] ? 0 : 1), 0);
  const first = actual.findIndex((byte, i) => byte !== expected[i]);
  const { blockBytes } = SCHEMES[scheme];
  const block = Math.floor(first / blockBytes);
  const hex = (bytes: Uint8Array) =>
    Buffer.from(bytes.subarray(block * blockBytes, (block + 1) * blockBytes)).toString('hex');
  assert.fail(
    `${scheme}: ${differing} of ${actual.length} bytes differ, first in block ${block} at byte ${first % blockBytes}:\n${hex(actual)}\nexpected\n${hex(expected)}`,
  );
}
