import path, { posix } from 'node:path';
import { readGgufModel } from '../../../formats/gguf/import.ts';
import { readHfFolder } from '../../../formats/hf/import.ts';
import { graphPlace } from '../../../formats/onnx/import/locate.ts';
import { readOnnxModel } from '../../../formats/onnx/import/open.ts';
import { MANIFEST_FILE } from '../../../formats/webgpu/file-names.ts';
import { readBundleModel } from '../../../formats/webgpu/import/open.ts';
import type { Model } from '../../core/model.ts';
import { openTree, takeSnapshot } from '../../hub/cache/snapshot.ts';
import type { HubSource } from '../../hub/hub-source.ts';
import { remoteFolder } from '../../hub/remote-folder.ts';
import type { HubRun } from '../../hub/run.ts';
import type { HubFile, HubTree } from '../../hub/tree.ts';
import type { SourceFolder } from '../../io/source-folder.ts';
import { filesToFetch, modelOnHub } from './hub-model.ts';
import { hubSourceOf, neitherHereNorThere } from './missing-source.ts';
import { type NeededFiles, severalModels } from './needed-files.ts';

/** A source on the Hub, and the commit that it means. */
export interface FoundOnHub {
  readonly run: HubRun;
  readonly source: HubSource;
  readonly tree: HubTree;
}

/**
 * Looks up on the Hub a spec that is not a path on this machine.
 * @throws PressError `local-io` where it must be a path, `usage` for an address of something else, `network`
 * where the Hub does not have it.
 */
export async function findOnHub(spec: string, run: HubRun): Promise<FoundOnHub> {
  const source = await hubSourceOf(spec, run.settings.endpoint);
  const tree = await openTree(run, source).catch(async (error) => {
    throw await neitherHereNorThere(spec, error);
  });
  return { run, source, tree };
}

/**
 * Brings the model that a source on the Hub means into the cache, and returns its path there.
 * @throws PressError `network`, `local-io` as src/hub does; and as `modelOnHub` does.
 */
export async function fetchFromHub({ run, source, tree }: FoundOnHub): Promise<string> {
  const needed = modelOnHub(tree, source);
  const files = await filesToFetch(run, tree, needed);
  const folder = await takeSnapshot({ ...run, source, tree, files });
  return path.join(folder, ...(needed.path?.split('/') ?? []));
}

/**
 * Makes sure that a source on the Hub means one model.
 * @throws PressError `usage` where it means several graphs; and as `modelOnHub` does.
 */
export function assertOneModel({ source, tree }: FoundOnHub): void {
  oneModel(tree, source);
}

function oneModel(tree: HubTree, source: HubSource): NeededFiles<HubFile> {
  const model = modelOnHub(tree, source);
  const { graphs = [] } = model;
  if (graphs.length > 1) throw severalModels(tree.repository, graphs);
  return model;
}

/**
 * Opens a model where it is on the Hub: of weights, ranges are read when they are needed. Undefined offline.
 * @throws PressError as `assertOneModel` and the importers do.
 */
export async function openOnHub({ run, source, tree }: FoundOnHub): Promise<Model | undefined> {
  if (run.settings.offline) return undefined;
  const model = await openNeeded(oneModel(tree, source), tree, (folder) => remoteFolder(run, tree, folder));
  const { repository, revision } = tree;
  return { ...model, origin: { repository, revision } };
}

async function openNeeded(
  { path: place = '', format, graphs = [] }: NeededFiles<HubFile>,
  { revision }: HubTree,
  folderAt: (path: string) => SourceFolder,
): Promise<Model> {
  switch (format) {
    case 'checkpoint':
      return readHfFolder(folderAt(place));
    case 'gguf': {
      const { dir, base } = posix.parse(place);
      const folder = folderAt(dir);
      return readGgufModel(base, (name) => folder.open(name));
    }
    case 'onnx': {
      const { root, graph } = graphPlace(graphs[0]!, posix);
      return readOnnxModel(folderAt(root), graph);
    }
    case 'bundle': {
      const folder = posix.basename(place) === MANIFEST_FILE ? posix.parse(place).dir : place;
      // The folder of a commit in the cache has its name.
      return readBundleModel(folderAt(folder), posix.basename(folder) || revision);
    }
  }
}
