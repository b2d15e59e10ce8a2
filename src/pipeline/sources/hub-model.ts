import { CONTAINERS, type Container } from '../../../formats/hf/container.ts';
import { parseIndex } from '../../../formats/hf/index-file.ts';
import { PressError } from '../../core/errors.ts';
import { offline, openFolder } from '../../hub/cache/snapshot.ts';
import { hubFault } from '../../hub/http/fault.ts';
import type { HubSource } from '../../hub/hub-source.ts';
import type { HubRun } from '../../hub/run.ts';
import type { HubFile, HubTree } from '../../hub/tree.ts';
import { type NeededFiles, neededFiles } from './needed-files.ts';
import { quantizedFile } from './quantized-file.ts';

/** As importers of checkpoints. */
const MAX_INDEX_BYTES = 64_000_000;

/**
 * Picks the model that a source means out of what its repository holds.
 * @throws PressError `usage` and `invalid-input` as `neededFiles` and `quantizedFile` do; `network` offline,
 * where the cache holds a part of the repository only and no model is in it.
 */
export function modelOnHub(tree: HubTree, { path, quantization }: HubSource): NeededFiles<HubFile> {
  const { repository, files, isPartial } = tree;
  try {
    const named = quantization === undefined ? path : quantizedFile(repository, files, quantization);
    return neededFiles(repository, files, named);
  } catch (error) {
    const isLacking = error instanceof PressError && (error.failure === 'invalid-input' || quantization);
    if (!isPartial || !isLacking) throw error;
    throw hubFault(repository, 'this model is not in the cache, and HF_HUB_OFFLINE is set');
  }
}

/**
 * The files of a model that have to be fetched. If an index lists the files with the weights, weights of
 * another set are not fetched.
 */
export async function filesToFetch(
  run: HubRun,
  tree: HubTree,
  { files, path }: NeededFiles<HubFile>,
): Promise<readonly HubFile[]> {
  const prefix = path === undefined ? '' : `${path}/`;
  const container = CONTAINERS.find(({ index }) => files.some((file) => file.path === `${prefix}${index}`));
  if (container === undefined) return files;
  const shards = await shardsOf(run, tree, container, path);
  if (shards === undefined) return files;
  const paths = new Set(shards.map((name) => `${prefix}${name}`));
  const missing = tree.isPartial && [...paths].find((name) => !tree.files.some((file) => file.path === name));
  if (missing) throw offline(`${tree.repository}/${missing}`);
  return tree.files.filter((file) => {
    const isWeights = file.path.endsWith(container.extension);
    return paths.has(file.path) || (!isWeights && files.includes(file));
  });
}

/** Names in an index; undefined if it is damaged, which its importer reports. */
async function shardsOf(
  run: HubRun,
  tree: HubTree,
  container: Container,
  path: string | undefined,
): Promise<readonly string[] | undefined> {
  const folder = await openFolder(run, tree, path);
  if (!folder.has(container.index)) return undefined;
  try {
    const { text } = await folder.readText(container.index, MAX_INDEX_BYTES);
    return parseIndex(text, container).shards;
  } catch (error) {
    if (error instanceof PressError && error.failure === 'invalid-input') return undefined;
    throw error;
  }
}
