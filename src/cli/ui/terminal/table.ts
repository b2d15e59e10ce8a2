import { escapeControls } from '../../../core/text/format.ts';
import { textWidth } from './text-width.ts';

export interface Column {
  readonly header: string;
  /** Numbers stand on the right. Default left. */
  readonly align?: 'left' | 'right';
}

const GAP = '  ';

/**
 * Lines of a table: the header, then the rows, in columns as wide as their widest cell. Cells are plain text,
 * whose control characters are shown; `styleHeader` may colour the first line.
 */
export function renderTable(
  columns: readonly Column[],
  cells: readonly (readonly string[])[],
  styleHeader: (line: string) => string = (line) => line,
): string[] {
  const rows = cells.map((row) => row.map(escapeControls));
  const widths = columns.map(({ header }, column) =>
    rows.reduce((widest, row) => Math.max(widest, textWidth(row[column]!)), textWidth(header)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => {
        const padding = ' '.repeat(widths[column]! - textWidth(cell));
        return columns[column]!.align === 'right' ? padding + cell : cell + padding;
      })
      .join(GAP)
      .trimEnd();
  return [styleHeader(line(columns.map(({ header }) => header))), ...rows.map(line)];
}

/** Lines of names and values, the values in one column. */
export function renderFacts(given: readonly (readonly [name: string, value: string])[]): string[] {
  const facts = given.map(([name, value]) => [escapeControls(name), escapeControls(value)] as const);
  const widest = facts.reduce((widest, [name]) => Math.max(widest, textWidth(name)), 0);
  return facts.map(([name, value]) =>
    `${name}${' '.repeat(widest - textWidth(name))}${GAP}${value}`.trimEnd(),
  );
}
