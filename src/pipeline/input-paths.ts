import path from 'node:path';
import type { Model } from '../core/model.ts';
import { folderOf } from './recorded-artifact.ts';

/** Paths of the files of a model that was opened from `source`. */
export async function inputPaths(model: Model, source: string): Promise<string[]> {
  const folder = await folderOf(source, model);
  return model.files.map((file) => path.join(folder, file.name));
}
