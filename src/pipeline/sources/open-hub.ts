import path from 'node:path';
import type { Model } from '../../core/model.ts';
import { openTree, takeSnapshot } from '../../hub/cache/snapshot.ts';
import type { HubSource } from '../../hub/hub-source.ts';
import { remoteFolder } from '../../hub/remote-folder.ts';
import type { HubRun } from '../../hub/run.ts';
import type { HubTree } from '../../hub/tree.ts';
import type { LocatedModel } from '../formats/locate.ts';
import { filesToFetch, modelOnHub } from './hub-model.ts';
import { hubSourceOf, neitherHereNorThere } from './missing-source.ts';
import { severalModels } from './needed-files.ts';

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
 * @throws PressError `usage` where it means several models; and as `modelOnHub` does.
 */
export function assertOneModel({ source, tree }: FoundOnHub): void {
  oneModel(tree, source);
}

function oneModel(tree: HubTree, source: HubSource): LocatedModel {
  const { models } = modelOnHub(tree, source);
  const [model, ...others] = models;
  if (others.length > 0) {
    throw severalModels(
      tree.repository,
      models.map((other) => other.path),
    );
  }
  return model!;
}

/**
 * Opens a model where it is on the Hub: of weights, ranges are read when they are needed. Undefined offline.
 * @throws PressError as `assertOneModel` and the importers do.
 */
export async function openOnHub({ run, source, tree }: FoundOnHub): Promise<Model | undefined> {
  if (run.settings.offline) return undefined;
  const { format, path: place } = oneModel(tree, source);
  const { repository, revision } = tree;
  const model = await format.read({ folderAt: (folder) => remoteFolder(run, tree, folder), revision }, place);
  return { ...model, origin: { repository, revision } };
}
