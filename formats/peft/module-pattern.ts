import { unsupported } from '../../src/core/errors.ts';
import type { JsonField } from '../../src/core/json/json-field.ts';

/** A member of `rank_pattern` or `alpha_pattern`. */
export interface ModulePattern<Value> {
  matches(module: string): boolean;
  readonly value: Value;
}

/** Members that may be names; PEFT reads them as regular expressions, in which a point is any character. */
const NAME = /^\^?(?:\w|-|\\?\.)+$/;

/**
 * Reads an object of settings for some modules. As in PEFT (`get_pattern_key`), a key stands for modules
 * whose name is it or ends in a point and it, and the first that fits counts.
 * @throws PressError unsupported for keys that are more than a name, an anchor and points.
 */
export function readPatterns<Value>(
  field: JsonField,
  read: (field: JsonField) => Value,
): readonly ModulePattern<Value>[] {
  if (field.optional() === undefined) return [];
  return [...field.entries()].map(([key, entry]) => {
    if (!NAME.test(key)) {
      const what = 'is a regular expression, which is not read';
      throw unsupported({ file: field.file, field: entry.field, what, expected: 'names of modules' });
    }
    const isWhole = key.startsWith('^');
    // One entry a character: undefined fits any.
    const characters = (key.match(/\\\.|[\w.-]/g) ?? []).map((c) => (c === '.' ? undefined : c.at(-1)));
    const matches = (module: string) => {
      const start = module.length - characters.length;
      if (start < 0 || (start > 0 && (isWhole || module[start - 1] !== '.'))) return false;
      return characters.every((c, i) => c === undefined || c === module[start + i]);
    };
    return { matches, value: read(entry) };
  });
}
