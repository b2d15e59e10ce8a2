import { invalidInput } from '../core/errors.ts';
import type { SourceFile } from '../core/model.ts';
import { foreignContent } from '../core/text/foreign-content.ts';
import { InputFile } from './input-file.ts';

/** A small text file, read whole. */
export interface TextFile extends SourceFile {
  readonly text: string;
}

/** Reads a UTF-8 file of at most `maxBytes`. Throws `invalid-input` where it is larger or not UTF-8. */
export async function readTextFile(path: string, name: string, maxBytes: number): Promise<TextFile> {
  return readText(await InputFile.open(path, name), maxBytes);
}

/** Reads an open file as `readTextFile` does, and closes it. */
export async function readText(file: InputFile, maxBytes: number): Promise<TextFile> {
  const { name } = file;
  try {
    if (file.bytes > maxBytes) {
      throw invalidInput({
        file: name,
        what: 'too large',
        got: file.bytes,
        expected: `at most ${maxBytes} bytes`,
      });
    }
    const content = new Uint8Array(file.bytes);
    await file.readInto(content, 0);
    const isJson = /\.json$/i.test(name);
    const foreign = isJson ? foreignContent(content) : undefined;
    if (foreign !== undefined) throw invalidInput({ file: name, what: foreign });
    const decoded = decodeUtf8(content, name);
    // Editors of Windows put a byte order mark before JSON, where it has no meaning.
    const text = isJson ? decoded.replace(/^\ufeff/, '') : decoded;
    const digest = await file.sha256();
    return {
      name,
      bytes: file.bytes,
      text,
      sha256: async () => digest,
      close: async () => {},
    };
  } finally {
    await file.close();
  }
}

/** Strict decoding: no replacement characters, and a byte order mark stays visible. */
export function decodeUtf8(bytes: Uint8Array, file: string, field?: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalidInput({ file, ...(field !== undefined && { field }), what: 'not valid UTF-8' });
  }
}
