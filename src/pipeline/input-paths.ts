import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Model } from '../core/model.ts';

/** Paths of the files of a model that was opened from `source`. */
export async function inputPaths(model: Model, source: string): Promise<string[]> {
  const isFolder = await stat(source).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  const folder = isFolder ? source : path.dirname(source);
  return model.files.map((file) => path.join(folder, file.name));
}
