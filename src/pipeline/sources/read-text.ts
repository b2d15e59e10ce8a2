import { invalidInput } from '../../core/errors.ts';
import { Turns } from '../../core/jobs/turns.ts';
import { assertExists } from '../../io/existing-path.ts';
import { readTextFile } from '../../io/text-file.ts';
import type { EncodeOptions, Tokenizer } from '../../tokenizer/tokenizer.ts';

/** More text than a comparison reads in a day; it is held in memory. */
const MAX_TEXT_BYTES = 64_000_000;

/**
 * Reads a text for a comparison. Throws `local-io` where it is missing, `invalid-input` where it is not
 * UTF-8.
 */
export async function readText(file: string): Promise<string> {
  await assertExists(file);
  const { text } = await readTextFile(file, file, MAX_TEXT_BYTES);
  if (text === '') throw invalidInput({ file, what: 'empty' });
  return text;
}

/** Characters a piece: whole paragraphs mostly, and short enough that even a hostile one is soon encoded. */
const PIECE_LENGTH = 8192;

/**
 * At most `maxTokens` ids of the texts. They are encoded piece by piece, so that what is not needed costs
 * nothing. Ends by `signal`.
 */
export async function encodeTexts(
  tokenizer: Tokenizer,
  texts: readonly string[],
  maxTokens: number,
  signal?: AbortSignal,
  options: EncodeOptions = {},
): Promise<number[]> {
  const ids: number[] = [];
  const turns = new Turns(signal);
  for (const text of texts) {
    for (const piece of textPieces(text, PIECE_LENGTH)) {
      if (ids.length >= maxTokens) return ids.slice(0, maxTokens);
      ids.push(...tokenizer.encode(piece, options));
      await turns.offer();
    }
  }
  return ids.slice(0, maxTokens);
}

/**
 * Cuts a text into pieces of at most `length` UTF-16 units: after a line break where a piece has one, else
 * after a sentence, else after a space.
 */
export function* textPieces(text: string, length: number): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const end = start + length < text.length ? start + cutOf(text.slice(start, start + length)) : text.length;
    yield text.slice(start, end);
    start = end;
  }
}

function cutOf(piece: string): number {
  for (const pattern of [/^.*\n/s, /^.*[.!?](?=\s)/s, /^.*\S(?=\s)/s]) {
    const match = pattern.exec(piece);
    if (match !== null) return match[0].length;
  }
  // Never between the halves of a character.
  return /[\ud800-\udbff]$/.test(piece) ? piece.length - 1 : piece.length;
}
