import { type PressError, usage } from '../errors.ts';

/** The error for a name that is none of `names`: those, and which of them was meant, if one is close. */
export function unknownName(what: string, name: string, names: readonly string[]): PressError {
  const meant = nearest(name, names);
  const hint = meant === undefined ? '' : ` (Did you mean ${meant}?)`;
  return usage(`unknown ${what} ${JSON.stringify(name)}${hint}`, names.join(', '));
}

/**
 * The name that the fewest changes of a letter lead to, at most one in three; case, `_` and `-` do not count.
 */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const squeeze = (text: string) => text.toLowerCase().replace(/[_-]/g, '');
  const typed = squeeze(name).slice(0, MAX_LENGTH);
  let fewest = Math.floor(typed.length / 3) + 1;
  let meant: string | undefined;
  for (const candidate of names) {
    const changes = editDistance(typed, squeeze(candidate));
    if (changes < fewest) [fewest, meant] = [changes, candidate];
  }
  return meant;
}

/** No name is longer, and a hostile one must not take time. */
const MAX_LENGTH = 40;

/** Levenshtein's, row by row. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1;
      current.push(Math.min(above[column]! + 1, current[column - 1]! + 1, above[column - 1]! + same));
    }
    above = current;
  }
  return above[b.length]!;
}
