import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { holdsModel } from '../../../formats/gguf/container/kind.ts';
import { siblingShardNames } from '../../../formats/gguf/container/shards.ts';
import { graphPaths } from '../../../formats/onnx/import/locate.ts';
import { isBundle, isBundleIn } from '../../../formats/webgpu/import/locate.ts';
import { localIo } from '../../core/errors.ts';
import { InputFile } from '../../io/input-file.ts';

/**
 * Paths, with forward slashes, of the artifacts in a folder: its GGUF files, of a split one the first shard;
 * its graphs, each by one name; its bundles. A folder that is a bundle itself gives an empty path.
 * Checkpoints are not artifacts.
 */
export async function artifactsIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error) => {
    throw localIo(folder, error);
  });
  const folders = entries.filter((entry) => !entry.isFile()).map(({ name }) => name);
  const bundles: string[] = [];
  for (const name of folders.sort()) if (await isBundleIn(path.join(folder, name))) bundles.push(name);
  return [
    ...((await isBundle(folder)) ? [''] : []),
    ...(await ggufModels(
      folder,
      entries.map(({ name }) => name),
    )),
    ...(await graphPaths(folder)),
    ...bundles,
  ];
}

/** The first shard of a split model, which may be missing. */
async function ggufModels(folder: string, entries: readonly string[]): Promise<string[]> {
  const names = entries.filter((name) => /^[^.].*\.gguf$/i.test(name));
  const models = [...new Set(names.map((name) => siblingShardNames(name)?.[0] ?? name))].sort();
  if (models.length < 2) return models;
  const isModel = await Promise.all(models.map((name) => mayHoldModel(path.join(folder, name))));
  const found = models.filter((_, index) => isModel[index]);
  return found.length === 0 ? models : found;
}

/** A file that cannot be opened may be a model, such as one whose first shard is missing. */
async function mayHoldModel(file: string): Promise<boolean> {
  const input = await InputFile.open(file, path.basename(file)).catch(() => undefined);
  if (input === undefined) return true;
  try {
    return await holdsModel(input);
  } finally {
    await input.close();
  }
}
