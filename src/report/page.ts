import { html, Markup } from './markup.ts';
import type { Measure, Panel, Report, Section, Table } from './panel.ts';
import { STYLE } from './style.ts';

/** Nothing is loaded and nothing runs, whatever the names in a model say. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/** A page in one file, without scripts. */
export function renderPage({ title, version, sections }: Report): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="plmpress ${version}">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${new Markup(STYLE)}</style>
</head>
<body>
<header><div><h1>${title}</h1><small>plmpress ${version}</small></div>${THEMES}</header>
<main>${sections.map(renderSection)}</main>
</body>
</html>
`;
  return page.text;
}

const THEMES = html`<fieldset><legend>theme</legend><label><input type="radio" name="theme" id="auto" checked>auto</label><label><input type="radio" name="theme" id="light">light</label><label><input type="radio" name="theme" id="dark">dark</label></fieldset>`;

function renderSection({ title, passed, verdict, failures, measures, panels, facts }: Section): Markup {
  const badge =
    passed === undefined
      ? ''
      : html`<b class="${passed ? 'good' : 'bad'}">${passed ? 'passed' : 'failed'}</b> `;
  return html`<section>
<h2>${title}</h2>
<p class="verdict">${badge}${verdict}</p>
${failures.length === 0 ? '' : html`<ul class="failures">${failures.map((failure) => html`<li>${failure}</li>`)}</ul>`}
${measures.length === 0 ? '' : html`<dl class="measures">${measures.map(renderMeasure)}</dl>`}
<div class="panels">${panels.map(renderPanel)}</div>
<div class="facts"><h3>What was compared</h3><dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></div>
</section>
`;
}

function renderMeasure({ name, value, remark }: Measure): Markup {
  return html`<div><dt>${name}</dt><dd class="value">${value}</dd>${remark === undefined ? '' : html`<dd><small>${remark}</small></dd>`}</div>`;
}

function renderPanel({ title, note, figure, table, isWide = false, height = 1 }: Panel): Markup {
  const place = isWide ? html` class="wide"` : html` style="grid-row:span ${height}"`;
  return html`<article${place}><div><h3>${title}</h3><p class="note">${note}</p></div>${figure}${table && renderTable(title, table, figure === undefined)}</article>
`;
}

/** Behind a figure it waits to be opened. */
function renderTable(title: string, { columns, rows }: Table, isOpen: boolean): Markup {
  const align = columns.map((column) => (column.align === 'right' ? html` class="right"` : undefined));
  const head = columns.map(({ header }, column) => html`<th scope="col"${align[column]}>${header}</th>`);
  const body = rows.map(
    (cells) =>
      html`<tr>${cells.map((cell, column) => html`<td${align[column] ?? (cell.length > LONG ? LONG_CELL : undefined)}>${cell}</td>`)}</tr>`,
  );
  return html`<details${isOpen ? html` open` : ''}><summary>${title}: the figures</summary><div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div></details>`;
}

/** Letters from which a cell may break its lines. */
const LONG = 40;
const LONG_CELL = html` class="long"`;
