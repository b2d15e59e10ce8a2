import path from 'node:path';
import { MANIFEST_FILE, VOCABULARY_FILE } from '../file-names.ts';

/** Whether a folder with these entries is a bundle. Folders with a GGUF file are none. */
export function isBundle(entries: readonly string[]): boolean {
  return entries.includes(MANIFEST_FILE) && !entries.some((name) => /^[^.].*\.gguf$/i.test(name));
}

/**
 * Whether a folder beside other artifacts is a bundle, by the names of the folder and of its entries. Web
 * applications have a manifest.json as well.
 */
export function isBundleAmong(folder: string, entries: readonly string[]): boolean {
  if (!entries.includes(MANIFEST_FILE)) return false;
  return entries.includes(VOCABULARY_FILE) || folder.startsWith('webgpu');
}

/** The absolute path of the folder of a bundle that is named by itself or by its manifest. A link keeps its name. */
export function bundleFolder(spec: string): string {
  return path.resolve(path.basename(spec) === MANIFEST_FILE ? path.dirname(spec) : spec);
}
