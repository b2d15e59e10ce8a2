import path from 'node:path';
import { usage } from '../core/errors.ts';
import type { Model } from '../core/model.ts';
import { assertReportFiles, writeReportFile } from '../pipeline/report-file.ts';
import { inputPaths } from '../pipeline/sources/input-paths.ts';
import { VERSION } from '../pipeline/version.ts';
import { renderMarkdown } from '../report/markdown.ts';
import { renderPage } from '../report/page.ts';
import type { Report } from '../report/panel.ts';

const RENDERERS: Readonly<Record<string, (report: Report) => string>> = {
  '.html': renderPage,
  '.md': renderMarkdown,
};

/** Whether a report can be written to a file of this name. */
export function isReportFile(file: string): boolean {
  return Object.hasOwn(RENDERERS, path.extname(file));
}

export type WriteReports = (title: string, sections: Report['sections']) => Promise<void>;

/** The inputs of a run. A report must not replace them. */
export interface ReportInputs {
  /** With their paths, of those on this machine. */
  readonly models: readonly (readonly [model: Model, place: string | undefined])[];
  readonly files: readonly (string | undefined)[];
}

/**
 * Checks that reports can be written before a long job starts, and returns the function that writes them.
 * @throws PressError usage for a file of another name than .html or .md; local-io where a file is there
 * without `force`, or is an input.
 */
export async function openReports(
  read: ReportInputs,
  files: readonly string[] = [],
  force = false,
): Promise<WriteReports> {
  if (files.length === 0) return async () => {};
  const unknown = files.find((file) => !isReportFile(file));
  if (unknown !== undefined) throw usage(`report ${unknown}`, 'a file named .html or .md');
  const inputs = read.files.filter((file) => file !== undefined);
  for (const [model, place] of read.models) inputs.push(...(await inputPaths(model, place)));
  await assertReportFiles(files, { force, inputs });
  return async (title, sections) => {
    for (const file of files) {
      const text = RENDERERS[path.extname(file)]!({ title, version: VERSION, sections });
      await writeReportFile(file, text, { force, inputs });
    }
  };
}
