import path from 'node:path';
import { readText } from '../pipeline/sources/read-text.ts';

/** A text by the base name of its file, as reports name it. */
export interface NamedText {
  readonly name: string;
  readonly text: string;
}

/** Throws as `readText` does. */
export async function readNamedTexts(files: readonly string[]): Promise<NamedText[]> {
  return Promise.all(files.map(async (file) => ({ name: path.basename(file), text: await readText(file) })));
}

export function textsOf(named: readonly NamedText[]): string[] {
  return named.map(({ text }) => text);
}
