import type { Model } from '../../core/model.ts';
import { modelAt } from '../formats/model-at.ts';
import type { ManifestArtifact } from '../record/manifest.ts';
import { readManifest } from '../record/manifest-reader.ts';

/**
 * What the manifest beside an artifact that was opened from `spec` records for it; undefined where none does.
 */
export async function recordedArtifact(
  spec: string | undefined,
  artifact: Model,
): Promise<ManifestArtifact | undefined> {
  if (spec === undefined) return undefined;
  const manifest = await readManifest(await folderOf(spec));
  const name = artifact.files[0]?.name;
  return manifest?.artifacts.find(({ files }) => name !== undefined && files.includes(name));
}

/** The folder to which names of a model's files are relative, by the path that the model was opened from. */
export async function folderOf(spec: string): Promise<string> {
  const { format, place } = await modelAt(spec);
  return format.rootOf(place).folder;
}
