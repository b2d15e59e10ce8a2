/** First bytes, as Latin-1, of files that people mistake for a file of a model, and what to call them. */
const FOREIGN: readonly { readonly start: RegExp; readonly what: string }[] = [
  { start: /^version https:\/\/git-lfs/, what: 'this is a Git LFS pointer, run git lfs pull' },
  { start: /^# xet version /, what: 'this is a git-xet pointer, run git xet checkout' },
  // biome-ignore lint/suspicious/noControlCharactersInRegex: bytes of a file, not text
  { start: /^PK\x03\x04/, what: 'this is a zip archive, as torch.save writes as pytorch_model.bin' },
  // biome-ignore lint/suspicious/noControlCharactersInRegex: bytes of a file, not text
  { start: /^\x1f\x8b\x08/, what: 'this is a gzip archive, unpack it first' },
  {
    // The third byte distinguishes a pickle from an imatrix of 640 entries.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: bytes of a file, not text
    start: /^\x80[\x02-\x05][^\0]/,
    what: 'this is a bare pickle, which is not read; convert it to safetensors',
  },
  { start: /^GGUF/, what: 'this is a GGUF file' },
  {
    start: /^(\xef\xbb\xbf)?\s*<(!doctype|html|head|\?xml)/i,
    what: 'this is an HTML page, as failed downloads leave',
  },
];

/** A pointer is shorter than this (specification of Git LFS). */
export const MAX_POINTER_BYTES = 1024;
/** Bytes of a file that `foreignContent` looks at. */
export const FOREIGN_HEAD_BYTES = 64;

/**
 * The apparent kind of a file that is not of the expected one, by its first bytes; undefined if they do not
 * show it.
 */
export function foreignContent(head: Uint8Array): string | undefined {
  const text = latin1(head);
  return FOREIGN.find(({ start }) => start.test(text))?.what;
}

/**
 * Advice for a pointer file that a version control system has put in place of the real one; undefined for
 * other files.
 */
export function pointerContent(head: Uint8Array): string | undefined {
  const text = latin1(head);
  return FOREIGN.slice(0, 2).find(({ start }) => start.test(text))?.what;
}

function latin1(head: Uint8Array): string {
  return String.fromCharCode(...head.subarray(0, FOREIGN_HEAD_BYTES));
}
