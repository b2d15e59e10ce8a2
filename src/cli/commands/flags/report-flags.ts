import path from 'node:path';
import { InvalidArgumentError } from 'commander';
import { isReportFile } from '../../../press/report-files.ts';
import { ScopedOption } from '../../scoped-option.ts';

export function reportOption(): ScopedOption {
  return new ScopedOption(
    '--report <file>',
    'report with plots and tables to write (.html or .md); repeatable',
  ).argParser(collectReport);
}

function collectReport(text: string, previous: readonly string[] = []): string[] {
  if (!isReportFile(text)) {
    throw new InvalidArgumentError('Expected a file named .html or .md.');
  }
  const isKnown = previous.some((file) => path.resolve(file) === path.resolve(text));
  return isKnown ? [...previous] : [...previous, text];
}
