import path from 'node:path';
import { invalidInput, unsupported, usage } from '../core/errors.ts';
import type { Progress } from '../core/jobs/progress.ts';
import { assertExists } from '../io/existing-path.ts';
import { withTemporaryFolder } from '../io/staging/temporary-folder.ts';
import { type FolderGraph, GRAPH_LIST, recordedGraph, withCompanions } from './artifacts/graph-folder.ts';
import { convert } from './convert.ts';
import type { Target } from './planning/planned-target.ts';
import { MANIFEST_NAME, type Manifest, type ManifestArtifact, type ManifestFile } from './record/manifest.ts';
import { readManifest } from './record/manifest-reader.ts';
import { type RecordedInputs, type RecordedPaths, withRecordedSource } from './record/recorded-source.ts';
import {
  assertFilesRecorded,
  planningFiles,
  recordedCalibrationTokens,
  replayTarget,
} from './record/replay.ts';

export interface ReproduceOptions extends RecordedPaths {
  /** Path of a plmpress.json, or of its folder. */
  readonly manifest: string;
  /** Paths of files in it: only the artifacts that they belong to. Left out: all. */
  readonly only?: readonly string[];
  /**
   * Folder that what is made is left in. Left out: a hidden one beside the manifest, which goes at the end.
   */
  readonly output?: string;
  readonly threads?: number | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An artifact beside what it has become. */
export interface ReproducedArtifact {
  readonly target: string;
  /** Of the plmpress that made it first. */
  readonly version: string;
  readonly same: boolean;
  readonly files: readonly ReproducedFile[];
  /** Files that it has now and had not. */
  readonly more: readonly string[];
  /** Tensors whose scheme or hash is another one. */
  readonly tensors: readonly string[];
}

export interface ReproducedFile extends ManifestFile {
  /** The new file; undefined if it is not made any more. */
  readonly again: ManifestFile | undefined;
  readonly same: boolean;
}

/**
 * Makes the artifacts of a manifest again, and compares sizes and hashes with the recorded ones.
 * @throws PressError usage for several sources at once and as `withRecordedSource` and `replayTarget` do;
 * verification where source, imatrix or statistics are other ones; and as `convert` does.
 */
export async function reproduce(options: ReproduceOptions): Promise<ReproducedArtifact[]> {
  const { manifest, artifacts } = await readArtifacts(options.manifest, options.only);
  assertFilesRecorded(artifacts, options);
  const { source } = artifacts[0]!;
  const other = artifacts.find((artifact) => JSON.stringify(artifact.source) !== JSON.stringify(source));
  if (other !== undefined) {
    throw usage(`${artifacts[0]!.files[0]} and ${other.files[0]} are of different sources`, '--only FILE');
  }
  const reading = {
    weights: 'read',
    calibrationTokens: recordedCalibrationTokens(artifacts),
    threads: options.threads,
  } as const;
  const made = await withRecordedSource(source, options, reading, async (inputs) => {
    const targets: Target[] = [];
    for (const artifact of artifacts) {
      targets.push(await planAgain(artifact, manifest, inputs, options.signal));
    }
    return withOutput(options, async (output) => {
      const { threads, progress, signal } = options;
      const converted = await convert({
        model: inputs.model,
        targets,
        output,
        ...(inputs.source !== undefined && { source: inputs.source }),
        measuring: inputs.live?.memoryBytes,
        threads,
        progress,
        signal,
      });
      return converted.manifest!;
    });
  });
  return artifacts.map((artifact) => compare(artifact, manifest, made));
}

interface Selection {
  readonly manifest: Manifest;
  readonly artifacts: readonly ManifestArtifact[];
}

async function readArtifacts(file: string, only: readonly string[] | undefined): Promise<Selection> {
  await assertExists(file);
  const manifest = await readManifest(folderOf(file));
  if (manifest === undefined) throw invalidInput({ file, what: `contains no ${MANIFEST_NAME}` });
  const wanted = only?.map((name) => {
    const artifact = manifest.artifacts.find(({ files }) => files.includes(name));
    if (artifact === undefined)
      throw usage(`no artifact in ${MANIFEST_NAME} has a file ${JSON.stringify(name)}`);
    return artifact;
  });
  const artifacts = manifest.artifacts.filter((artifact) => wanted?.includes(artifact) ?? true);
  if (artifacts.length === 0) throw invalidInput({ file: MANIFEST_NAME, what: 'lists no artifact' });
  return { manifest, artifacts };
}

function folderOf(manifest: string): string {
  return path.basename(manifest) === MANIFEST_NAME ? path.dirname(manifest) : manifest;
}

/** The files beside graphs belong to the first of the last run, which records the others. */
async function planAgain(
  artifact: ManifestArtifact,
  manifest: Manifest,
  inputs: RecordedInputs,
  signal: AbortSignal | undefined,
): Promise<Target> {
  const target = await replayTarget(inputs.model, artifact, planningFiles(inputs), signal);
  if (target.graph === undefined || !artifact.files.includes(GRAPH_LIST)) return target;
  const { graphs = [] } = artifact.options;
  if (!Array.isArray(graphs))
    throw unsupported({ file: MANIFEST_NAME, field: 'options.graphs', what: 'is not a list' });
  const others: FolderGraph[] = [];
  for (const name of graphs.slice(1)) {
    const other = manifest.artifacts.find((known) => known.target === name);
    if (other === undefined)
      throw invalidInput({
        file: MANIFEST_NAME,
        field: 'options.graphs',
        what: 'no such artifact',
        got: name,
      });
    others.push(recordedGraph(other, target.graph.cache));
  }
  return withCompanions([target], others)[0]!;
}

function withOutput<T>(
  { manifest, output }: ReproduceOptions,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  if (output !== undefined) return use(output);
  return withTemporaryFolder(folderOf(manifest), 'plmpress-reproduce', use);
}

function compare(artifact: ManifestArtifact, before: Manifest, after: Manifest): ReproducedArtifact {
  const { target, version } = artifact;
  const again = after.artifacts.find((made) => planOf(made) === planOf(artifact));
  const files = filesOf(before, artifact).map((file): ReproducedFile => {
    const made = again && filesOf(after, again).find(({ path: name }) => name === file.path);
    return { ...file, again: made, same: made?.bytes === file.bytes && made.sha256 === file.sha256 };
  });
  const more = again?.files.filter((name) => !artifact.files.includes(name)) ?? [];
  const tensors = artifact.tensors.filter(({ name, scheme, sha256 }) => {
    const made = again?.tensors.find((tensor) => tensor.name === name);
    return made?.scheme !== scheme || made.sha256 !== sha256;
  });
  return {
    target,
    version,
    same: more.length === 0 && files.every(({ same }) => same),
    files,
    more,
    tensors: tensors.map(({ name }) => name),
  };
}

/** No two artifacts of one source and plan can be in a folder. */
function planOf({ target, options, passes }: ManifestArtifact): string {
  return JSON.stringify([target, Object.entries(options).toSorted(), passes]);
}

function filesOf({ files }: Manifest, artifact: ManifestArtifact): ManifestFile[] {
  return files.filter(({ path: name }) => artifact.files.includes(name));
}
