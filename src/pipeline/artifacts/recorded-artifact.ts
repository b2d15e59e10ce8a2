import { stat } from 'node:fs/promises';
import path from 'node:path';
import { locateOnnx } from '../../../formats/onnx/import/locate.ts';
import { bundleFolder } from '../../../formats/webgpu/import/locate.ts';
import type { Model } from '../../core/model.ts';
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
  const manifest = await readManifest(await folderOf(spec, artifact));
  const name = artifact.files[0]?.name;
  return manifest?.artifacts.find(({ files }) => name !== undefined && files.includes(name));
}

/**
 * The folder of an artifact that is named by itself, by a folder in it or by its file: names of its files
 * begin there.
 */
export async function folderOf(spec: string, { format }: Pick<Model, 'format'>): Promise<string> {
  if (format === 'onnx') return (await locateOnnx(spec)).root;
  if (format === 'webgpu') return path.dirname(await bundleFolder(spec));
  const isFolder = await stat(spec).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  return isFolder ? spec : path.dirname(spec);
}
