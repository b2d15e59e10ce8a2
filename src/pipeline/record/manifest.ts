import { type Fallback, type PlannedTensor, plannedBytes, plannedRows } from '../../core/export-plan.ts';
import type { Change, HubOrigin, Model } from '../../core/model.ts';
import { columnCount } from '../../core/tensor.ts';
import type { Target } from '../planning/planned-target.ts';
import { VERSION } from '../version.ts';
import type { StorageError } from '../writing/storage-error.ts';
import type { StoredTensor } from '../writing/stored-tensor.ts';
import type { ManifestOptions } from './manifest-options.ts';

/** Record of everything in an output folder: what was made, from what, how, and how exact it is. */
export const MANIFEST_NAME = 'plmpress.json';
export const MANIFEST_SCHEMA = 1;

/** A file by content. Paths have forward slashes and are relative to the manifest. */
export interface ManifestFile {
  readonly path: string;
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
}

export interface ManifestTensor {
  /** In the artifact. */
  readonly name: string;
  /** In the source, by its Hugging Face name. */
  readonly source: string;
  readonly scheme: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** As `StoredTensor`. */
  readonly sha256: string;
  readonly error: StorageError;
}

export interface ManifestSource {
  readonly format: string;
  readonly name: string;
  readonly origin?: HubOrigin;
  /** Those of adapters last. */
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
}

export interface ManifestArtifact {
  readonly target: string;
  /** Of the plmpress that made it. */
  readonly version: string;
  readonly source: ManifestSource;
  /** Those that bytes depend on. */
  readonly options: ManifestOptions;
  /** As `--pass` takes them. */
  readonly passes: readonly string[];
  readonly changes: readonly Change[];
  readonly fallbacks: readonly { readonly [Key in keyof Fallback]: string }[];
  readonly tensors: readonly ManifestTensor[];
  /** Paths of `Manifest.files`. */
  readonly files: readonly string[];
  /** What `convert --verify` has found; bytes do not depend on it. */
  readonly verification?: ManifestVerification;
}

/** How far an artifact is from its source. */
export interface ManifestVerification {
  /** Positions compared. */
  readonly tokens: number;
  /** In nats per token. */
  readonly meanKld: number;
  /** Share of positions where both hold the same token for the likeliest. */
  readonly top1: number;
  /** SHA-256 in hex of the texts, in order; none: the built-in one. */
  readonly texts: readonly string[];
}

/** The options that an artifact is planned with. */
export type RecordedTarget = Pick<ManifestArtifact, 'target' | 'options' | 'passes'>;

/** Holds no time, no path of the machine and no thread count: equal conversions give equal manifests. */
export interface Manifest {
  readonly schemaVersion: typeof MANIFEST_SCHEMA;
  /** The tool that wrote the manifest last. */
  readonly tool: { readonly name: string; readonly version: string };
  readonly files: readonly ManifestFile[];
  readonly artifacts: readonly ManifestArtifact[];
}

/**
 * The source as manifests describe it. Reads what nobody has read so far, and fails where a file has changed.
 */
export async function describeSource(model: Model, signal?: AbortSignal): Promise<ManifestSource> {
  const files: { name: string; bytes: number; sha256: string }[] = [];
  for (const file of model.files) {
    files.push({ name: file.name, bytes: file.bytes, sha256: await file.sha256(signal) });
  }
  const { format, name, origin } = model;
  return { format, name, ...(origin && { origin: originOf(origin) }), files };
}

/** Nothing else that an origin may know. */
function originOf({ repository, revision }: HubOrigin): HubOrigin {
  return { repository, revision };
}

/** `names`: those of all files by the ones in the plan. */
export function describeArtifact(
  target: Target,
  source: ManifestSource,
  stored: ReadonlyMap<PlannedTensor, StoredTensor>,
  names: ReadonlyMap<string, string>,
): ManifestArtifact {
  const { plan, options, model, passes } = target;
  return {
    target: plan.target,
    version: VERSION,
    source,
    options,
    passes,
    changes: model.changes,
    fallbacks: plan.fallbacks,
    tensors: plan.files.flatMap(({ tensors }) =>
      tensors.map((tensor) => describeTensor(tensor, stored.get(tensor)!)),
    ),
    files: [...new Set(plan.files.map((file) => names.get(file.name)!))],
  };
}

function describeTensor(tensor: PlannedTensor, stored: StoredTensor): ManifestTensor {
  const { name, source, scheme, rows } = tensor;
  const shape = rows === undefined ? source.shape : [plannedRows(tensor).count, columnCount(source)];
  return { name, source: source.name, scheme, shape, bytes: plannedBytes(tensor), ...stored };
}

/** Adds artifacts to those of `previous`, dropping from it each that shares a file with a new one. */
export function mergeManifest(
  previous: Manifest | undefined,
  artifacts: readonly ManifestArtifact[],
  files: readonly ManifestFile[],
): Manifest {
  const kept = previous && withoutFiles(previous, files);
  return {
    schemaVersion: MANIFEST_SCHEMA,
    tool: { name: 'plmpress', version: VERSION },
    files: [...(kept?.files ?? []), ...files].toSorted((a, b) => order(a.path, b.path)),
    artifacts: [...(kept?.artifacts ?? []), ...artifacts].toSorted(
      (a, b) => order(a.target, b.target) || order(a.files[0] ?? '', b.files[0] ?? ''),
    ),
  };
}

/** `manifest` without the artifacts that have one of the files, and without what is theirs alone. */
export function withoutFiles(manifest: Manifest, files: readonly ManifestFile[]): Manifest {
  const gone = new Set(files.map((file) => file.path));
  return withoutArtifacts(
    manifest,
    manifest.artifacts.filter((artifact) => artifact.files.some((path) => gone.has(path))),
  );
}

/** `manifest` without some of its artifacts, and without what is theirs alone. */
export function withoutArtifacts(manifest: Manifest, gone: readonly ManifestArtifact[]): Manifest {
  const artifacts = manifest.artifacts.filter((artifact) => !gone.includes(artifact));
  const paths = new Set(artifacts.flatMap((artifact) => artifact.files));
  return { ...manifest, files: manifest.files.filter((file) => paths.has(file.path)), artifacts };
}

/** Files of artifacts of `previous` that `next` does not list. */
export function filesOfNoOther(
  previous: Manifest,
  artifacts: readonly ManifestArtifact[],
  next: Manifest,
): ManifestFile[] {
  const theirs = new Set(artifacts.flatMap(({ files }) => files));
  const listed = new Set(next.files.map((file) => file.path));
  return previous.files.filter(({ path }) => theirs.has(path) && !listed.has(path));
}

/** Whether `manifest` describes one of the files, so that it would lie once that is replaced. */
export function describesAny(manifest: Manifest, files: readonly ManifestFile[]): boolean {
  const paths = new Set(files.map((file) => file.path));
  return manifest.files.some((file) => paths.has(file.path));
}

/** Keys stand in the order in which this file builds objects. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  return Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
}

/** By code units, on every machine alike. */
function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
