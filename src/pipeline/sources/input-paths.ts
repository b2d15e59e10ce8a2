import path from 'node:path';
import type { Model } from '../../core/model.ts';
import { folderOf } from '../artifacts/recorded-artifact.ts';

/** Paths of the files of a model that was opened from `source`; none where they are not on this machine. */
export async function inputPaths(model: Model, source: string | undefined): Promise<string[]> {
  if (source === undefined) return [];
  const folder = await folderOf(source);
  return model.files.map((file) => path.join(folder, file.name));
}
