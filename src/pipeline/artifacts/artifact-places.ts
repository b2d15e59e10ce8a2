import { stat } from 'node:fs/promises';
import path from 'node:path';
import { hasHfWeights } from '../../../formats/hf/import.ts';
import { isBundle } from '../../../formats/webgpu/import/locate.ts';
import { PressError } from '../../core/errors.ts';
import type { Progress } from '../../core/jobs/progress.ts';
import type { Model } from '../../core/model.ts';
import { assertInside, SourceFolder } from '../../io/source-folder.ts';
import { MANIFEST_NAME, type ManifestArtifact, type ManifestFile } from '../record/manifest.ts';
import { assertAsRecorded, readManifest } from '../record/manifest-reader.ts';
import { openedPath } from './artifact-file.ts';
import { artifactsIn } from './folder-artifacts.ts';

/** What `plmpress.json` says of the files of one artifact. */
export interface RecordedFiles {
  /** Folder of the record. Paths of files are relative to it. */
  readonly folder: string;
  readonly artifact: ManifestArtifact;
  readonly files: readonly ManifestFile[];
}

/** An artifact on this machine. */
export interface ArtifactPlace {
  /** Path that opens it alone. */
  readonly place: string;
  /** Its name in messages: its path in the folder in which it was found. */
  readonly name: string;
  /**
   * The folder that it was found in, which no link may lead out of. Undefined where it was named by itself.
   */
  readonly folder?: string;
  /** Undefined where no record names it. */
  readonly recorded: RecordedFiles | undefined;
}

/** The artifacts that a path means. */
export interface ArtifactPlaces {
  /** One at least. */
  readonly artifacts: readonly ArtifactPlace[];
  /** Paths of other models in the folder, which the record does not name. */
  readonly leftOut: readonly string[];
}

/**
 * The artifacts of a folder: those that its record names, or, without a record, those that are found. For a
 * file, a checkpoint, a bundle or a folder without artifacts, the place itself. With `checkpointFirst`, also
 * for a checkpoint beside a record that names artifacts.
 * @throws PressError as `readManifest` and `openedPath` do.
 */
export async function artifactsAt(place: string, checkpointFirst = false): Promise<ArtifactPlaces> {
  if (!(await isFolder(place))) return { artifacts: [await alone(place)], leftOut: [] };
  const found = await artifactsIn(place);
  const isCheckpoint = hasHfWeights(await SourceFolder.open(path.resolve(place)));
  const manifest = await readManifest(place);
  const recorded = (manifest?.artifacts ?? []).map((artifact) => ({
    name: openedPath(artifact),
    recorded: recordedFiles(place, artifact, manifest!.files),
  }));
  if (isCheckpoint && (checkpointFirst || recorded.length === 0)) {
    const names = new Set([...found, ...recorded.map(({ name }) => name)]);
    return { artifacts: [await alone(place)], leftOut: [...names] };
  }
  if (recorded.length > 0) {
    const files = recorded.flatMap(({ recorded: { artifact } }) => artifact.files);
    return {
      artifacts: recorded.map((artifact) => ({ ...artifact, place: path.join(place, artifact.name) })),
      leftOut: found.filter((name) => !holds(files, name)),
    };
  }
  if (found.length === 0 || found.includes('')) {
    return { artifacts: [await alone(place)], leftOut: found.filter((name) => name !== '') };
  }
  const artifacts: ArtifactPlace[] = [];
  for (const name of found) artifacts.push({ ...(await alone(path.join(place, name))), name, folder: place });
  return { artifacts, leftOut: [] };
}

async function alone(place: string): Promise<ArtifactPlace> {
  return { place, name: path.basename(place), recorded: await recordOf(place) };
}

function recordedFiles(
  folder: string,
  artifact: ManifestArtifact,
  files: readonly ManifestFile[],
): RecordedFiles {
  const own = new Set(artifact.files);
  return { folder, artifact, files: files.filter((file) => own.has(file.path)) };
}

/** The record of an artifact that was given by its own path. */
async function recordOf(place: string): Promise<RecordedFiles | undefined> {
  const resolved = path.resolve(place);
  for (const folder of await recordFolders(resolved)) {
    const manifest = await readManifest(folder);
    const name = path.relative(folder, resolved).split(path.sep).join('/');
    const artifact = manifest?.artifacts.find(({ files }) => holds(files, name));
    if (artifact !== undefined) return recordedFiles(folder, artifact, manifest!.files);
  }
  return undefined;
}

/** Where the record of an artifact can lie: beside a file, and beside the folder of a bundle or of graphs. */
async function recordFolders(place: string): Promise<string[]> {
  const parent = path.dirname(place);
  if (await isFolder(place)) return (await isBundle(place)) ? [parent] : [];
  const isInside = path.basename(place) === 'manifest.json' || path.basename(parent) === 'onnx';
  return isInside ? [parent, path.dirname(parent)] : [parent];
}

/** Whether `files` belong to the artifact `name`, which is a file or a folder. */
function holds(files: readonly string[], name: string): boolean {
  return files.some((file) => file === name || file.startsWith(`${name}/`));
}

/** Whether a path leads to a folder on this machine. */
export async function isFolder(place: string): Promise<boolean> {
  return stat(place).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

/** How files are compared with their record. */
export interface CheckOptions {
  /** `sizes` reads nothing. */
  readonly by: 'sizes' | 'hashes';
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

/**
 * Makes sure that an artifact lies where it was found and compares its files with its record, where it has
 * one.
 * @throws PressError invalid-input where a link leads out of the folder; verification where a file is missing
 * or is not as it was written.
 */
export async function checkPlace(
  { name, folder, recorded }: ArtifactPlace,
  options: CheckOptions,
): Promise<void> {
  if (recorded !== undefined) await checkRecorded(recorded, options);
  else if (folder !== undefined) await assertInside(folder, name);
}

/** Compares files with their record. Throws as `checkPlace` does. */
export async function checkRecorded(
  { folder, files }: Pick<RecordedFiles, 'folder' | 'files'>,
  { by, progress, signal }: CheckOptions,
): Promise<void> {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  if (by === 'hashes') progress?.({ kind: 'phase', name: 'check files', total, unit: 'bytes' });
  const root = await SourceFolder.open(folder);
  let done = 0;
  for (const file of files) {
    signal?.throwIfAborted();
    if (!(await isThere(path.join(folder, ...file.path.split('/'))))) throw missing(file.path);
    const input = await root.openPath(file.path);
    try {
      await assertAsRecorded(
        by === 'hashes' ? input : { name: input.name, bytes: input.bytes },
        file,
        signal,
      );
    } finally {
      await input.close();
    }
    done += file.bytes;
    if (by === 'hashes') progress?.({ kind: 'advance', done, item: file.path });
  }
}

function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    (error) => !['ENOENT', 'ENOTDIR'].includes(error.code),
  );
}

function missing(file: string): PressError {
  return new PressError('verification', { file, what: `is missing, and ${MANIFEST_NAME} names it` });
}

/**
 * For an artifact that cannot be opened.
 * @throws PressError verification where its record shows that it is not as it was written.
 */
export async function assertUndamaged(place: string): Promise<void> {
  // A record that cannot be read is ignored here.
  const recorded = await recordOf(place).catch(() => undefined);
  if (recorded !== undefined) await checkRecorded(recorded, { by: 'hashes' });
}

/**
 * The same model, whose files throw verification when they are hashed and are not as the record beside them
 * says: what is made of a damaged artifact would look whole. A record that cannot be read tells nothing.
 */
export function heldToRecord(model: Model, place: string): Model {
  let reading: Promise<RecordedFiles | undefined> | undefined;
  const files = model.files.map((file) => ({
    name: file.name,
    bytes: file.bytes,
    sha256: async (signal?: AbortSignal) => {
      reading ??= recordOf(place).catch(() => undefined);
      const entry = (await reading)?.files.find((listed) => listed.path === file.name);
      const sha256 = await file.sha256(signal);
      if (entry !== undefined)
        await assertAsRecorded({ name: file.name, bytes: file.bytes, sha256: async () => sha256 }, entry);
      return sha256;
    },
    close: () => file.close(),
  }));
  return { ...model, files };
}
