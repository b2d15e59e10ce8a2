import { readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { localIo } from '../../../src/core/errors.ts';
import { MANIFEST_FILE, VOCABULARY_FILE } from '../file-names.ts';

/** Whether `spec` is the manifest of a bundle or a folder with one. Folders with a GGUF file are none. */
export async function isBundle(spec: string): Promise<boolean> {
  if (path.basename(spec) === MANIFEST_FILE) return true;
  const entries = await readdir(spec).catch((): string[] => []);
  return entries.includes(MANIFEST_FILE) && !entries.some((name) => /^[^.].*\.gguf$/i.test(name));
}

/** Whether a folder beside other artifacts is a bundle. Web applications have a manifest.json as well. */
export async function isBundleIn(folder: string): Promise<boolean> {
  const entries = await readdir(folder).catch((): string[] => []);
  if (!entries.includes(MANIFEST_FILE)) return false;
  return entries.includes(VOCABULARY_FILE) || path.basename(folder).startsWith('webgpu');
}

/** The real path of the folder of a bundle that is named by itself or by its manifest. */
export async function bundleFolder(spec: string): Promise<string> {
  const folder = path.basename(spec) === MANIFEST_FILE ? path.dirname(spec) : spec;
  return realpath(folder).catch((error) => {
    throw localIo(spec, error);
  });
}
