import { stat } from 'node:fs/promises';
import path from 'node:path';
import { PressError } from '../../core/errors.ts';
import type { Progress } from '../../core/jobs/progress.ts';
import type { Model } from '../../core/model.ts';
import { assertInside, SourceFolder } from '../../io/source-folder.ts';
import { CHECKPOINT } from '../formats/checkpoint.ts';
import { nameOf } from '../formats/locate.ts';
import { isFolder, locateIn, modelAt, type PlacedModel } from '../formats/model-at.ts';
import { MANIFEST_NAME, type ManifestArtifact, type ManifestFile } from '../record/manifest.ts';
import { assertAsRecorded, readManifest } from '../record/manifest-reader.ts';
import { openedPath } from './artifact-file.ts';

/** The record of one artifact in `plmpress.json`, with its files. */
export interface RecordedFiles {
  /** Folder of the record. Paths of files are relative to it. */
  readonly folder: string;
  readonly artifact: ManifestArtifact;
  readonly files: readonly ManifestFile[];
}

/** An artifact on this machine. */
export interface ArtifactPlace {
  /** Path that opens this artifact only. */
  readonly place: string;
  /** Its name in messages: its path in the folder in which it was found. */
  readonly name: string;
  /**
   * The folder in which it was found; no link may lead out of it. Undefined if its own path was given.
   */
  readonly folder?: string;
  /** Undefined where no record names it. */
  readonly recorded: RecordedFiles | undefined;
}

/** The artifacts at a path. */
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
  if (!(await isFolder(place))) return { artifacts: [await alone(await modelAt(place))], leftOut: [] };
  const [first, ...others] = await locateIn(place);
  const isCheckpoint = first?.format === CHECKPOINT;
  const found = first === undefined || isCheckpoint ? others : [first, ...others];
  const manifest = await readManifest(place);
  const recorded = (manifest?.artifacts ?? []).map((artifact) => ({
    name: openedPath(artifact),
    recorded: recordedFiles(place, artifact, manifest!.files),
  }));
  if (isCheckpoint && (checkpointFirst || recorded.length === 0)) {
    const names = new Set([...found.map(nameOf), ...recorded.map(({ name }) => name)]);
    return { artifacts: [await alone({ format: CHECKPOINT, place })], leftOut: [...names] };
  }
  if (recorded.length > 0) {
    const files = recorded.flatMap(({ recorded: { artifact } }) => artifact.files);
    return {
      artifacts: recorded.map((artifact) => ({ ...artifact, place: path.join(place, artifact.name) })),
      leftOut: found.map(nameOf).filter((name) => !holds(files, name)),
    };
  }
  if (found.length === 0) {
    return { artifacts: [{ place, name: path.basename(place), recorded: undefined }], leftOut: [] };
  }
  if (found.length === 1 && found[0]!.path === '') {
    return { artifacts: [await alone({ format: found[0]!.format, place })], leftOut: [] };
  }
  const artifacts: ArtifactPlace[] = [];
  for (const model of found) {
    const name = nameOf(model);
    const artifact = await alone({ format: model.format, place: path.join(place, name) });
    artifacts.push({ ...artifact, name, folder: place });
  }
  return { artifacts, leftOut: [] };
}

async function alone(model: PlacedModel): Promise<ArtifactPlace> {
  const { place } = model;
  return { place, name: path.basename(place), recorded: await recordOf(model) };
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
async function recordOf({ format, place }: PlacedModel): Promise<RecordedFiles | undefined> {
  const { folder, path: name } = format.rootOf(place);
  const manifest = await readManifest(folder);
  const artifact = manifest?.artifacts.find(({ files }) => holds(files, name));
  return artifact && recordedFiles(folder, artifact, manifest!.files);
}

/** Whether `files` belong to the artifact `name`, which is a file or a folder. */
function holds(files: readonly string[], name: string): boolean {
  return files.some((file) => file === name || file.startsWith(`${name}/`));
}

/** How files are compared with their record. */
export interface CheckOptions {
  /** `sizes` reads nothing. */
  readonly by: 'sizes' | 'hashes';
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Checks that an artifact is inside the folder in which it was found, and compares its files with its record
 * if it has one.
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
export async function assertUndamaged(model: PlacedModel): Promise<void> {
  // A record that cannot be read is ignored here.
  const recorded = await recordOf(model).catch(() => undefined);
  if (recorded !== undefined) await checkRecorded(recorded, { by: 'hashes' });
}

/**
 * The same model, but hashing a file throws `verification` if the file differs from its record. Otherwise an
 * artifact converted from a damaged one would look intact. A record that cannot be read is ignored.
 */
export function heldToRecord(model: Model, placed: PlacedModel): Model {
  let reading: Promise<RecordedFiles | undefined> | undefined;
  const files = model.files.map((file) => ({
    name: file.name,
    bytes: file.bytes,
    sha256: async (signal?: AbortSignal) => {
      reading ??= recordOf(placed).catch(() => undefined);
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
