/**
 * The byte-level alphabet of GPT-2 (openai/gpt-2, encoder.py, `bytes_to_unicode`): every byte has a printable
 * character, so that vocabularies are text. Bytes that print in Latin-1 stand for themselves, the others
 * follow from U+0100 up in byte order.
 */
const PRINTABLE: readonly (readonly [first: number, last: number])[] = [
  [0x21, 0x7e],
  [0xa1, 0xac],
  [0xae, 0xff],
];

/** The character of each byte, 256 of them. */
export const BYTE_CHARACTERS: readonly string[] = buildAlphabet();

const BYTES = new Map(BYTE_CHARACTERS.map((character, byte) => [character.charCodeAt(0), byte]));

function buildAlphabet(): string[] {
  let unprintable = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = PRINTABLE.some(([first, last]) => byte >= first && byte <= last);
    return String.fromCharCode(printable ? byte : 0x100 + unprintable++);
  });
}

/** The bytes that `spelling` stands for, or undefined where a character is not of the alphabet. */
export function bytesOfSpelling(spelling: string): Uint8Array | undefined {
  const bytes = new Uint8Array(spelling.length);
  for (let i = 0; i < spelling.length; i++) {
    const byte = BYTES.get(spelling.charCodeAt(i));
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}
