import { PressError } from '../errors.ts';
import type { Schema } from './schema.ts';

/**
 * The version of a file that plmpress writes, of which this one reads `known` alone. `advice`: what to do
 * with a later one.
 * @throws PressError unsupported for a later version, invalid-input for anything else.
 */
export function formatVersion<const N extends number>(known: N, advice = 'update plmpress'): Schema<N> {
  return (field) => {
    const version = field.integer(1);
    if (version > known) {
      throw new PressError('unsupported', {
        file: field.file,
        field: field.field,
        what: 'the file was made by a newer version of plmpress',
        got: version,
        expected: `at most ${known}: ${advice}`,
      });
    }
    if (version < known) throw field.unexpected(`${known}`);
    return known;
  };
}
