import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Model } from '../core/model.ts';
import type { ManifestArtifact } from './manifest.ts';
import { readManifest } from './manifest-reader.ts';

/** What the manifest beside an artifact that was opened from `spec` records for it; undefined where none does. */
export async function recordedArtifact(spec: string, artifact: Model): Promise<ManifestArtifact | undefined> {
  const manifest = await readManifest(await folderOf(spec));
  const name = artifact.files[0]?.name;
  return manifest?.artifacts.find(({ files }) => name !== undefined && files.includes(name));
}

/** The folder of an artifact that is named by itself or by its file. */
export async function folderOf(spec: string): Promise<string> {
  return (await stat(spec)).isDirectory() ? spec : path.dirname(spec);
}
