import path from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import { assertReportFiles, writeReportFile } from '../../pipeline/report-file.ts';
import { VERSION } from '../../pipeline/version.ts';
import { renderMarkdown } from '../../report/markdown.ts';
import { renderPage } from '../../report/page.ts';
import type { Report } from '../../report/panel.ts';

const RENDERERS: Readonly<Record<string, (report: Report) => string>> = {
  '.html': renderPage,
  '.md': renderMarkdown,
};

export function reportOption(): Option {
  return new Option(
    '--report <file>',
    'write plots and tables, as a page (.html) or Markdown (.md); repeatable',
  ).argParser(collectReport);
}

function collectReport(text: string, previous: readonly string[] = []): string[] {
  if (!Object.hasOwn(RENDERERS, path.extname(text))) {
    throw new InvalidArgumentError('Expected a file named .html or .md.');
  }
  const isKnown = previous.some((file) => path.resolve(file) === path.resolve(text));
  return isKnown ? [...previous] : [...previous, text];
}

export type WriteReports = (title: string, sections: Report['sections']) => Promise<void>;

/**
 * Makes sure that reports can be written, before long work, and returns what writes them after it. `inputs` are never
 * replaced.
 * @throws PressError local-io where a file is there without `force`, or is an input.
 */
export async function openReports(
  files: readonly string[],
  force: boolean,
  inputs: readonly string[],
): Promise<WriteReports> {
  await assertReportFiles(files, { force, inputs });
  return async (title, sections) => {
    for (const file of files) {
      const text = RENDERERS[path.extname(file)]!({ title, version: VERSION, sections });
      await writeReportFile(file, text, { force, inputs });
    }
  };
}

/** Texts by the base names of their files, as a report names them. */
export function namedTexts(
  files: readonly string[] = [],
  texts: readonly string[] = [],
): { readonly name: string; readonly text: string }[] {
  return files.map((file, index) => ({ name: path.basename(file), text: texts[index]! }));
}
