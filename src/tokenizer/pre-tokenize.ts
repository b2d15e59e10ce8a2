import { characterClass, LETTER, NUMBER, OTHER, SPACE } from './character-class.ts';

const APOSTROPHE = 0x27;
const BLANK = 0x20;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** U+017F folds to s, hence its place in a pattern that ignores case. */
const CONTRACTION = /'(?:[sſtmd]|re|ve|ll)/iy;

/**
 * End of the piece that starts at `start`, by the pattern of Qwen2's tokenizer.json:
 *
 *     (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*
 *       |\s*[\r\n]+|\s+(?!\S)|\s+
 *
 * Written as a scanner because time must be linear for any text: a regular expression keeps a stack of
 * places to go back to, and overflows it inside a very long word.
 */
export function pieceEnd(text: string, start: number): number {
  const code = text.codePointAt(start)!;
  const kind = characterClass(code);
  const second = start + width(code);

  if (code === APOSTROPHE) {
    CONTRACTION.lastIndex = start;
    if (CONTRACTION.test(text)) return CONTRACTION.lastIndex;
  }
  if (kind === LETTER) return runEnd(text, second, LETTER);
  if (kind === NUMBER) return second;

  const next = classAt(text, second);
  if (next === LETTER && !isNewline(code)) return runEnd(text, second, LETTER);
  if (kind === OTHER) return newlinesEnd(text, runEnd(text, second, OTHER));
  if (code === BLANK && next === OTHER) return newlinesEnd(text, runEnd(text, second, OTHER));
  return spacesEnd(text, start);
}

/**
 * A run of spaces goes up to its last newline if it has one, to the end of the text if it is last, and
 * otherwise leaves one space for the word behind it.
 */
function spacesEnd(text: string, start: number): number {
  const end = runEnd(text, start, SPACE);
  for (let last = end - 1; last >= start; last--) {
    if (isNewline(text.charCodeAt(last))) return last + 1;
  }
  return end === text.length || end === start + 1 ? end : end - 1;
}

/** First position from `at` on whose character is not of class `kind`. */
function runEnd(text: string, at: number, kind: number): number {
  while (at < text.length) {
    const code = text.codePointAt(at)!;
    if (characterClass(code) !== kind) break;
    at += width(code);
  }
  return at;
}

function newlinesEnd(text: string, at: number): number {
  while (isNewline(text.charCodeAt(at))) at++;
  return at;
}

/** Class of the character at `at`; undefined at the end of the text. */
function classAt(text: string, at: number): number | undefined {
  const code = text.codePointAt(at);
  return code === undefined ? undefined : characterClass(code);
}

function isNewline(code: number): boolean {
  return code === LINE_FEED || code === CARRIAGE_RETURN;
}

/** UTF-16 units of a code point. */
function width(code: number): number {
  return code > 0xffff ? 2 : 1;
}
