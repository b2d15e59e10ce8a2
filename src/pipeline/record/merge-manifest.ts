import { VERSION } from '../version.ts';
import { MANIFEST_SCHEMA, type Manifest, type ManifestArtifact, type ManifestFile } from './manifest.ts';

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

/** By code units, on every machine alike. */
function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
