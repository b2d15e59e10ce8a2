import { bitsPerWeight, type SchemeName } from '../../core/scheme.ts';
import { elementCount } from '../../core/tensor.ts';
import {
  formatBytes,
  formatCount,
  formatCounted,
  formatPercent,
  formatSmall,
} from '../../core/text/format.ts';
import type { VerifiedTensor } from '../../pipeline/verify.ts';
import { schemeFills } from '../drawing/palette.ts';
import { coordinate } from '../drawing/plot.ts';
import { type Rectangle, squarify } from '../drawing/squarify.ts';
import { textBar } from '../drawing/text-bar.ts';
import { html, type Markup } from '../markup.ts';
import type { Panel } from '../panel.ts';

const AREA: Rectangle = { x: 0, y: 0, width: 460, height: 270 };

/** Where the bytes are: a treemap of tensors in groups by scheme, and a row for each tensor. */
export function sizesPanel(tensors: readonly VerifiedTensor[]): Panel {
  const groups = bySize(tensors);
  const total = groups.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    title: 'Bytes by tensor and scheme',
    note: `${formatBytes(total)} of weights in ${formatCounted(tensors.length, 'tensor')}. Areas are bytes, colours schemes.`,
    figure: html`${treemap(groups)}${legend(groups, total)}`,
    chart: groups
      .map(({ scheme, bytes }) => `    ${textBar(bytes / total)} ${scheme} ${formatPercent(bytes / total)}`)
      .join('\n'),
    table: {
      columns: [
        { header: 'tensor' },
        { header: 'scheme' },
        { header: 'shape' },
        { header: 'bytes', align: 'right' },
        { header: 'bits per weight', align: 'right' },
        { header: 'relative RMS error', align: 'right' },
        { header: 'largest error', align: 'right' },
      ],
      rows: groups.flatMap((group) =>
        group.tensors.map((tensor) => [
          tensor.name,
          tensor.scheme,
          tensor.shape.join(' x '),
          formatCount(tensor.bytes),
          bitsOf(tensor),
          formatSmall(tensor.relativeRmsError),
          formatSmall(tensor.maxAbsError),
        ]),
      ),
    },
  };
}

interface Group {
  readonly scheme: SchemeName;
  readonly bytes: number;
  /** Largest first. */
  readonly tensors: readonly VerifiedTensor[];
}

/** Largest first. */
function bySize(tensors: readonly VerifiedTensor[]): Group[] {
  const schemes = [...new Set(tensors.map(({ scheme }) => scheme))];
  const groups = schemes.map((scheme): Group => {
    const members = tensors
      .filter((tensor) => tensor.scheme === scheme)
      .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
    return { scheme, bytes: members.reduce((sum, { bytes }) => sum + bytes, 0), tensors: members };
  });
  return groups.sort((a, b) => b.bytes - a.bytes || (a.scheme < b.scheme ? -1 : 1));
}

function treemap(groups: readonly Group[]): Markup {
  const fills = schemeFills(groups.map(({ scheme }) => scheme));
  const areas = squarify(
    groups.map(({ bytes }) => bytes),
    AREA,
  );
  const cells = groups.map(({ scheme, tensors }, group) =>
    schemeCells(tensors, areas[group]!, fills.get(scheme)!),
  );
  return html`<svg class="plot treemap" viewBox="0 0 ${AREA.width} ${AREA.height}" role="img" aria-label="Treemap of tensors by bytes">${cells.flat()}</svg>`;
}

/** Tensors of one scheme, those of a role together. */
function schemeCells(tensors: readonly VerifiedTensor[], area: Rectangle, fill: string): Markup[] {
  const roles = [...new Set(tensors.map(({ role }) => role))]
    .map((role) => tensors.filter((tensor) => tensor.role === role))
    .map((members) => ({ members, bytes: members.reduce((sum, { bytes }) => sum + bytes, 0) }))
    .sort((a, b) => b.bytes - a.bytes);
  const areas = squarify(
    roles.map(({ bytes }) => bytes),
    area,
  );
  return roles.flatMap(({ members, bytes }, role) => {
    const place = areas[role]!;
    const rectangles = squarify(
      members.map((tensor) => tensor.bytes),
      place,
    );
    const cells = members.map((tensor, index) => cell(tensor, rectangles[index]!, fill));
    const names = members.map((tensor, index) => label(cellLines(tensor), rectangles[index]!));
    // Where the cells are too small for names, the role has one.
    const isNamed = names.every((name) => name.length > 0);
    return [
      ...cells,
      outline(place),
      ...(isNamed ? names.flat() : label([spaced(members[0]!.role), formatBytes(bytes)], place)),
    ];
  });
}

function cell(tensor: VerifiedTensor, { x, y, width, height }: Rectangle, fill: string): Markup {
  const what = `${tensor.name}: ${tensor.scheme}, ${formatCount(tensor.bytes)} bytes, ${bitsOf(tensor)} bits per weight, relative RMS error ${formatSmall(tensor.relativeRmsError)}`;
  return html`<rect x="${coordinate(x)}" y="${coordinate(y)}" width="${coordinate(width)}" height="${coordinate(height)}" fill="${fill}"><title>${what}</title></rect>`;
}

function outline({ x, y, width, height }: Rectangle): Markup {
  return html`<rect class="outline" x="${coordinate(x)}" y="${coordinate(y)}" width="${coordinate(width)}" height="${coordinate(height)}"/>`;
}

function cellLines({ role, layer, bytes }: VerifiedTensor): string[] {
  return layer === undefined
    ? [spaced(role), formatBytes(bytes)]
    : [`${spaced(role)} ${layer}`, formatBytes(bytes)];
}

function spaced(role: string): string {
  return role.replaceAll('_', ' ');
}

/** Pixels of a letter and of a line, with room around. */
const [LETTER, LINE, ROOM] = [6.4, 14, 5];

/** As many of the lines as fit, none where the first does not. */
function label(lines: readonly string[], { x, y, width, height }: Rectangle): Markup[] {
  const fitting = lines.slice(0, Math.floor((height - ROOM) / LINE));
  const first = fitting.findIndex((line) => line.length * LETTER + 2 * ROOM > width);
  return fitting
    .slice(0, first === -1 ? fitting.length : first)
    .map((line, index) => cellText(line, x, y + LINE * (index + 1)));
}

function cellText(text: string, x: number, y: number): Markup {
  return html`<text class="name" x="${coordinate(x + ROOM)}" y="${coordinate(y)}">${text}</text>`;
}

function legend(groups: readonly Group[], total: number): Markup {
  const fills = schemeFills(groups.map(({ scheme }) => scheme));
  const entries = groups.map(
    ({ scheme, bytes }) =>
      html`<li><span class="swatch" style="background:${fills.get(scheme)}"></span>${scheme} <small>${formatPercent(bytes / total)}, ${bitsText(bitsPerWeight(scheme))} bits</small></li>`,
  );
  return html`<ul class="legend">${entries}</ul>`;
}

function bitsOf(tensor: VerifiedTensor): string {
  return bitsText((8 * tensor.bytes) / elementCount(tensor));
}

function bitsText(bits: number): string {
  return String(Number(bits.toFixed(2)));
}
