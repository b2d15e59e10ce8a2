import assert from 'node:assert/strict';
import type { FileHandle } from 'node:fs/promises';
import test from 'node:test';
import { writeFully } from '../../src/io/staging/write-fully.ts';

/** A file that takes at most `most` bytes per call. */
function reluctantFile(most: number): { handle: FileHandle; content: number[] } {
  const content: number[] = [];
  const write = async (bytes: Uint8Array, at: number, length: number, position: number) => {
    const bytesWritten = Math.min(most, length);
    for (let i = 0; i < bytesWritten; i++) content[position + i] = bytes[at + i]!;
    return { bytesWritten };
  };
  return { handle: { write } as unknown as FileHandle, content };
}

test('short writes are continued', async () => {
  const { handle, content } = reluctantFile(3);
  await writeFully(handle, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 2);
  assert.deepEqual(content.slice(2), [1, 2, 3, 4, 5, 6, 7, 8]);
});

test('a write that makes no progress is an error, not a loop', async () => {
  const { handle } = reluctantFile(0);
  await assert.rejects(writeFully(handle, Uint8Array.of(1), 0), /wrote nothing/);
});
