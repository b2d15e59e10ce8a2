import type { FileHandle } from 'node:fs/promises';

/** Largest single write: the system call stops below 2 GiB. */
const MAX_WRITE = 1 << 30;

/** Writes all of `bytes` at `offset`: a single call may write less than it was given. */
export async function writeFully(handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const length = Math.min(MAX_WRITE, bytes.length - done);
    const { bytesWritten } = await handle.write(bytes, done, length, offset + done);
    if (bytesWritten === 0) throw new Error('the system wrote nothing and gave no reason');
    done += bytesWritten;
  }
}
