import path from 'node:path';
import { readStatistics } from '../../../formats/imatrix/statistics.ts';
import type { Statistics } from '../../core/statistics.ts';
import { assertExists } from '../../io/existing-path.ts';
import { InputFile } from '../../io/input-file.ts';

/**
 * Opens statistics of `plmpress calibrate` for as long as `use` takes; without a path there are none.
 * @throws PressError local-io where the file is missing, invalid-input and unsupported as `readStatistics`
 * does.
 */
export async function withStatistics<T>(
  filePath: string | undefined,
  use: (statistics: Statistics | undefined) => Promise<T>,
): Promise<T> {
  if (filePath === undefined) return use(undefined);
  await assertExists(filePath);
  const file = await InputFile.open(filePath, path.basename(filePath));
  try {
    return await use(await readStatistics(file));
  } finally {
    await file.close();
  }
}
