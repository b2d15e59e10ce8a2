const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Characters of no column: combining marks and format characters. */
const INVISIBLE = /[\p{M}\p{Cf}\p{Cc}]/u;
/** Characters of two columns (UAX #11, Wide and Fullwidth): East Asian scripts and punctuation, and emoji. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\p{Script=Yi}\p{Emoji_Presentation}\u3001-\u303e\uff01-\uff60\uffe0-\uffe6]|\ufe0f/u;
const HALFWIDTH = /[\uff61-\uffdc\uffe8-\uffee]/u;

/** Columns that text takes in a terminal. */
export function textWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of GRAPHEMES.segment(text)) width += graphemeWidth(segment);
  return width;
}

/** Text cut to `columns`, with an ellipsis if something is cut off. */
export function cutToWidth(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  let [kept, width] = ['', 0];
  for (const { segment } of GRAPHEMES.segment(text)) {
    width += graphemeWidth(segment);
    if (width > columns - 1) break;
    kept += segment;
  }
  return columns < 1 ? '' : `${kept}…`;
}

function graphemeWidth(grapheme: string): number {
  if (WIDE.test(grapheme) && !HALFWIDTH.test(grapheme)) return 2;
  return [...grapheme].filter((character) => !INVISIBLE.test(character)).length;
}
