import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { invalidInput, localIo, PressError } from '../../core/errors.ts';
import { parseJson } from '../../core/json/json.ts';
import type { SourceFile } from '../../core/model.ts';
import { SourceFolder } from '../../io/source-folder.ts';
import { readTextFile } from '../../io/text-file.ts';
import {
  MANIFEST_NAME,
  type Manifest,
  type ManifestArtifact,
  type ManifestFile,
  manifest,
} from './manifest.ts';

/** An artifact of the deepest model that llama.cpp takes makes 2 MB. */
const MAX_MANIFEST_BYTES = 64_000_000;

/**
 * The manifest of `folder`; undefined where there is none. Throws `invalid-input` where it is malformed,
 * `unsupported` where a newer plmpress made it.
 */
export async function readManifest(folder: string): Promise<Manifest | undefined> {
  const manifestPath = path.join(folder, MANIFEST_NAME);
  const stats = await lstat(manifestPath).catch((error) => {
    if (error.code === 'ENOENT') return undefined;
    throw localIo(MANIFEST_NAME, error);
  });
  if (stats === undefined) return undefined;
  if (stats.isSymbolicLink()) {
    const snapshot = await SourceFolder.open(folder);
    // In the cache of the Hub files are links; elsewhere a link leads to what is no part of the folder.
    if (snapshot.origin !== undefined)
      return parseManifest((await snapshot.readText(MANIFEST_NAME, MAX_MANIFEST_BYTES)).text);
  }
  if (!stats.isFile())
    throw new PressError('local-io', { file: MANIFEST_NAME, what: 'is not a regular file' });
  return parseManifest((await readTextFile(manifestPath, MANIFEST_NAME, MAX_MANIFEST_BYTES)).text);
}

/**
 * Compares a file of `folder` with the manifest there. Returns the artifact that it belongs to; undefined
 * where there is no manifest or it does not list the file.
 * @throws PressError `verification` where size or SHA-256 differ, `invalid-input` where the manifest is
 * malformed.
 */
export async function checkManifest(
  folder: string,
  file: Pick<SourceFile, 'name' | 'bytes' | 'sha256'>,
  signal?: AbortSignal,
): Promise<ManifestArtifact | undefined> {
  const manifest = await readManifest(folder);
  const entry = manifest?.files.find((listed) => listed.path === file.name);
  if (manifest === undefined || entry === undefined) return undefined;
  await assertAsRecorded(file, entry, signal);
  return manifest.artifacts.find((artifact) => artifact.files.includes(file.name));
}

/**
 * Compares a file with what is recorded for it; without `sha256` by its size.
 * @throws PressError `verification` where they differ.
 */
export async function assertAsRecorded(
  file: Pick<SourceFile, 'name' | 'bytes'> & Partial<Pick<SourceFile, 'sha256'>>,
  entry: ManifestFile,
  signal?: AbortSignal,
): Promise<void> {
  const differs = (what: string, got: string | number, expected: string) =>
    new PressError('verification', {
      file: file.name,
      what: `${what} differs from ${MANIFEST_NAME}`,
      got,
      expected,
    });
  if (file.bytes !== entry.bytes) throw differs('size', file.bytes, `${entry.bytes} bytes`);
  const sha256 = await file.sha256?.(signal);
  if (sha256 !== undefined && sha256 !== entry.sha256) throw differs('SHA-256', sha256, entry.sha256);
}

/**
 * Reads the text of a manifest: each path is listed once, and is a file of an artifact.
 * @throws PressError as `readManifest`.
 */
export function parseManifest(text: string): Manifest {
  const read = manifest(parseJson(text, MANIFEST_NAME));
  const listed = new Set(read.files.map((file) => file.path));
  if (listed.size < read.files.length) throw malformed('files', 'a path is listed twice');
  const owned = new Set(read.artifacts.flatMap((artifact) => artifact.files));
  for (const file of owned) {
    if (!listed.has(file)) throw malformed('artifacts', `${file} is not among the files`);
  }
  for (const file of listed) {
    if (!owned.has(file)) throw malformed('files', `${file} belongs to no artifact`);
  }
  return read;
}

function malformed(field: string, what: string): PressError {
  return invalidInput({ file: MANIFEST_NAME, field, what });
}
