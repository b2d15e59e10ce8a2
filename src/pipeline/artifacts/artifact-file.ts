import { posix } from 'node:path';
import { invalidInput, unsupported } from '../../core/errors.ts';
import { FORMATS, type FormatName, targetFormat } from '../formats/index.ts';
import { MANIFEST_NAME, type ManifestArtifact } from '../record/manifest.ts';

/**
 * What a reader opens of an artifact, by its path in the output folder: its file, or the folder of a bundle.
 * @throws PressError invalid-input where the record names none.
 */
export function openedPath({ target, files }: ManifestArtifact): string {
  const { mainFile, opens } = FORMATS[formatOf(target)];
  const file = files.find((name) => name.endsWith(mainFile));
  if (file === undefined) {
    throw invalidInput({ file: MANIFEST_NAME, field: target, what: `no file ends in ${mainFile}` });
  }
  return opens === 'folder' ? posix.dirname(file) : file;
}

/** @throws PressError unsupported for a format that this version does not know. */
function formatOf(target: string): FormatName {
  const format = targetFormat(target);
  if (format !== undefined) return format;
  throw unsupported({ file: MANIFEST_NAME, field: target, what: 'this version knows no such format' });
}

/**
 * Checks that a record names only files that an artifact of its format can have. Otherwise a forged record
 * could have any file of the folder, such as `.env`, sent to the Hub.
 * @throws PressError invalid-input for another file; unsupported for a format that this version does not
 * know.
 */
export function assertOwnFiles({ target, files }: ManifestArtifact): void {
  const format = formatOf(target);
  const other = files.find((file) => !FORMATS[format].fileNames.some((name) => name.test(file)));
  if (other === undefined) return;
  const what = `artifacts of ${format} have no such file, so it is not sent`;
  throw invalidInput({ file: MANIFEST_NAME, field: target, what, got: other });
}
