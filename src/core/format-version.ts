import { unsupported } from './errors.ts';
import type { JsonField } from './json/json-field.ts';

/**
 * Checks the version of a file that plmpress writes, of which this one reads `known` alone.
 * @throws PressError unsupported for a later version, invalid-input for anything else.
 */
export function assertFormatVersion(field: JsonField, known: number): void {
  const version = field.integer(1);
  if (version > known) {
    throw unsupported({
      file: field.file,
      field: field.field,
      what: 'the file was made by a newer version of plmpress',
      got: version,
      expected: `at most ${known}: update plmpress`,
    });
  }
  if (version < known) throw field.unexpected(`${known}`);
}
