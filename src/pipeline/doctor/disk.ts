import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { PressError } from '../../core/errors.ts';
import { formatBytes } from '../../core/text/format.ts';
import { freeBytes } from '../../io/free-space.ts';
import { type Check, note, ok } from './check.ts';

/** PLM-1.8B in BF16 and one artifact of 4 bits. */
const ENOUGH_BYTES = 5e9;

/** Looks at a folder, or at the nearest one above that is there. `label` is what people know it by. */
export async function checkFolder(name: string, folder: string, label: string): Promise<Check> {
  try {
    await access(folder, constants.W_OK);
    const free = await freeBytes(folder);
    const found = `${label}, ${free === undefined ? 'free space not known' : `${formatBytes(free)} free`}`;
    if (free === undefined || free >= ENOUGH_BYTES) return ok(name, found);
    return note(name, found, `PLM-1.8B and an artifact take ${formatBytes(ENOUGH_BYTES)}: make room`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const parent = path.dirname(folder);
    if (code === 'ENOENT' && parent !== folder) return checkFolder(name, parent, label);
    const what = error instanceof PressError ? error.fault.what : `cannot be written (${code})`;
    return note(name, `${label}, ${what}`, 'choose a folder that you may write to');
  }
}
