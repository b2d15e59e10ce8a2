import { PressError } from '../../../src/core/errors.ts';
import { MANIFEST_FILE } from '../file-names.ts';

/**
 * A file of a bundle that is not what the manifest says: a check has failed, whatever the file has become.
 */
export function differsFromManifest(
  file: string,
  what: 'size' | 'SHA-256',
  got: number | string,
  expected: string,
): PressError {
  return new PressError('verification', {
    file,
    what: `${what} differs from ${MANIFEST_FILE}`,
    got,
    expected,
  });
}

/** A file that the manifest names and that is not there. */
export function missingFromBundle(file: string): PressError {
  return new PressError('verification', { file, what: `is missing, and ${MANIFEST_FILE} names it` });
}
