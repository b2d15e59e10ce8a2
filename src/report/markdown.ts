import { escapeMarkdown } from '../core/text/markdown-text.ts';
import type { Panel, Report, Section, Table } from './panel.ts';

/** The report for the summary of a CI job, and whatever else shows Markdown of GitHub. */
export function renderMarkdown({ title, version, sections }: Report): string {
  const parts = [`# ${escapeMarkdown(title)}`, ...sections.flatMap(sectionParts), `plmpress ${version}`];
  return `${parts.join('\n\n')}\n`;
}

function sectionParts({ title, passed, verdict, failures, measures, panels, facts }: Section): string[] {
  const badge = passed === undefined ? '' : passed ? '**passed** ' : '**failed** ';
  const columns = [{ header: 'measure' }, { header: 'value', align: 'right' as const }, { header: '' }];
  return [
    `## ${escapeMarkdown(title)}`,
    `${badge}${escapeMarkdown(verdict)}`,
    ...(failures.length === 0 ? [] : [failures.map((failure) => `- ${escapeMarkdown(failure)}`).join('\n')]),
    ...(measures.length === 0
      ? []
      : [
          renderTable({
            columns,
            rows: measures.map(({ name, value, remark = '' }) => [name, value, remark]),
          }),
        ]),
    ...panels.flatMap(panelParts),
    '### What was compared',
    facts.map(([name, value]) => `- ${escapeMarkdown(name)}: ${escapeMarkdown(value)}`).join('\n'),
  ];
}

/** Rows that a reader takes in at a glance. */
const SHORT = 12;

function panelParts({ title, note, chart, table }: Panel): string[] {
  const heading = [`### ${escapeMarkdown(title)}`, escapeMarkdown(note)];
  const rendered = table === undefined ? [] : [renderTable(table)];
  const isLong = table !== undefined && chart !== undefined && table.rows.length > SHORT;
  return [
    ...heading,
    ...(chart === undefined ? [] : [chart]),
    ...(isLong ? ['<details><summary>The figures</summary>', ...rendered, '</details>'] : rendered),
  ];
}

function renderTable({ columns, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(columns.map(({ header }) => escapeMarkdown(header))),
    line(columns.map(({ align }) => (align === 'right' ? '---:' : '---'))),
    ...rows.map((cells) => line(cells.map(escapeMarkdown))),
  ].join('\n');
}
