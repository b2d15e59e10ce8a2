import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { repoRoot } from '../../test/support/paths.ts';
import { type Mark, readFigures } from './figures.ts';
import { holds, type Source } from './source.ts';
import { SOURCES } from './sources/index.ts';

/** Pages whose figures are held, relative to the repository. */
export function documents(): readonly string[] {
  const pages = readdirSync(path.join(repoRoot, 'docs'), { recursive: true, encoding: 'utf8' });
  return [
    'README.md',
    ...pages.filter((page) => page.endsWith('.md')).map((page) => path.posix.join('docs', page)),
  ].sort();
}

export function figuresOf(document: string): ReturnType<typeof readFigures> {
  return readFigures(readFileSync(path.join(repoRoot, document), 'utf8'));
}

export function sourceOf({ source }: Mark): Source {
  const found = SOURCES.get(source);
  if (found === undefined)
    throw new Error(`no source ${source}; those that there are stand in bench/claims/sources`);
  return found;
}

/** What a source gives for a mark. Throws where these are not as many figures as the document states. */
export async function measured(mark: Mark): Promise<readonly number[]> {
  const stated = mark.figures.map(({ text }) => text);
  const values = await sourceOf(mark).measure(mark.args, stated);
  if (values.length !== stated.length) {
    throw new Error(
      `${nameOf(mark)} gives ${values.length} figures, not ${stated.length}: ${stated.join(' ')}`,
    );
  }
  return values;
}

/** The first figure of a mark that is not what was measured; undefined where all hold. */
export function mismatch(mark: Mark, values: readonly number[]): string | undefined {
  const { tolerance } = sourceOf(mark);
  const wrong = mark.figures.findIndex(({ text }, index) => !holds(text, values[index]!, tolerance));
  return wrong < 0
    ? undefined
    : `${nameOf(mark)}: ${mark.figures[wrong]!.text}, measured ${values[wrong]!.toPrecision(6)}`;
}

export function nameOf({ source, args }: Mark): string {
  return [source, ...args].join(' ');
}
