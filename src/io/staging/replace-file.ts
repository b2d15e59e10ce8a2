import { open, unlink } from 'node:fs/promises';
import { localIo } from '../../core/errors.ts';
import { unlessRefused } from '../refusals.ts';
import { renameOver } from './rename-over.ts';
import { temporaryPath } from './temporary-file.ts';
import { writeFully } from './write-fully.ts';

/** Writes a small file, or replaces it, so that its path never leads to a part of it. Throws local-io. */
export async function replaceFile(file: string, ...parts: readonly Uint8Array[]): Promise<void> {
  const temporary = temporaryPath(file);
  try {
    const handle = await open(temporary, 'wx');
    try {
      let at = 0;
      for (const part of parts) {
        await writeFully(handle, part, at);
        at += part.length;
      }
      await unlessRefused(() => handle.sync());
    } finally {
      await handle.close();
    }
    await renameOver(temporary, file);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw localIo(file, error);
  }
}
