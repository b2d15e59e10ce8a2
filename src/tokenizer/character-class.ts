/** The four kinds of characters that the Qwen2 pattern distinguishes. They are disjoint and cover Unicode. */
export const LETTER = 1;
export const NUMBER = 2;
export const SPACE = 3;
export const OTHER = 4;

const BMP_SIZE = 0x10000;

/** Classes of the basic plane; 0 where not asked for yet. */
const classes = new Uint8Array(BMP_SIZE);

/** Class of a code point. */
export function characterClass(code: number): number {
  if (code >= BMP_SIZE) return classify(code);
  const known = classes[code]!;
  if (known !== 0) return known;
  const found = classify(code);
  classes[code] = found;
  return found;
}

/**
 * `\s` of the pattern is Unicode's White_Space: it has U+0085, which `\s` of JavaScript lacks, and lacks
 * U+FEFF, which that one has.
 */
function classify(code: number): number {
  const character = String.fromCodePoint(code);
  if (/\p{L}/u.test(character)) return LETTER;
  if (/\p{N}/u.test(character)) return NUMBER;
  if (/\p{White_Space}/u.test(character)) return SPACE;
  return OTHER;
}
