import { lstat, realpath, unlink } from 'node:fs/promises';
import path from 'node:path';
import { splitStem } from '../../../formats/gguf/container/shards.ts';
import { firstNames } from '../../core/text/name-list.ts';
import { InputFile } from '../../io/input-file.ts';
import type { Manifest, ManifestArtifact, ManifestFile } from '../record/manifest.ts';

/**
 * Artifacts of `previous` whose place new ones take: of the same target, with a file in common or, with
 * `force`, as another split of a GGUF of the same name.
 */
export function replacedArtifacts(
  previous: Manifest,
  artifacts: readonly ManifestArtifact[],
  force: boolean,
): ManifestArtifact[] {
  return previous.artifacts.filter((old) =>
    artifacts.some(
      ({ target, files }) =>
        target === old.target &&
        (files.some((file) => old.files.includes(file)) || (force && isOtherSplit(old.files, files))),
    ),
  );
}

/** Whether `old` is a GGUF, whole or in shards, that `files` hold otherwise. */
function isOtherSplit([old = '']: readonly string[], [file = '']: readonly string[]): boolean {
  return stemOf(old) === stemOf(file);
}

/** What the name of a GGUF begins with, whole or in shards. */
function stemOf(file: string): string {
  return splitStem(file) ?? file.replace(/\.gguf$/, '');
}

/**
 * Removes the `files` from `folder` that have the size and SHA-256 of the earlier record and are not `inputs`
 * of the run. Returns notes for the user. Best effort: a file that stays does no harm.
 */
export async function removeLeftBehind(
  folder: string,
  files: readonly ManifestFile[],
  inputs: readonly string[],
): Promise<string[]> {
  const kept = new Set(await Promise.all(inputs.map((input) => realpath(input).catch(() => input))));
  const removed: string[] = [];
  const left: string[] = [];
  for (const file of files) {
    const place = path.join(folder, ...file.path.split('/'));
    const stats = await lstat(place).catch(() => undefined);
    if (stats === undefined) continue;
    const isOurs = stats.isFile() && !kept.has(await realpath(place)) && (await isAsRecorded(place, file));
    const isGone = isOurs && (await unlink(place).then(always, never));
    (isGone ? removed : left).push(file.path);
  }
  return [
    ...(removed.length > 0
      ? [`removed files that only the replaced artifact had: ${firstNames(removed)}`]
      : []),
    ...(left.length > 0
      ? [`kept from the replaced artifact, but no longer listed in plmpress.json: ${firstNames(left)}`]
      : []),
  ];
}

const always = () => true;
const never = () => false;

async function isAsRecorded(place: string, { path: name, bytes, sha256 }: ManifestFile): Promise<boolean> {
  const file = await InputFile.open(place, name).catch(() => undefined);
  if (file === undefined) return false;
  try {
    return file.bytes === bytes && (await file.sha256()) === sha256;
  } catch {
    return false;
  } finally {
    await file.close();
  }
}
