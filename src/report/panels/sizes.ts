import { formatBytes, formatCount, formatPercent, formatSmall } from '../../core/format.ts';
import { bitsPerWeight, type SchemeName } from '../../core/scheme.ts';
import { elementCount } from '../../core/tensor.ts';
import type { VerifiedTensor } from '../../pipeline/verify.ts';
import { html, type Markup } from '../markup.ts';
import { schemeFills } from '../palette.ts';
import type { Panel } from '../panel.ts';
import { coordinate } from '../plot.ts';
import { type Rectangle, squarify } from '../squarify.ts';
import { textBar } from '../text-bar.ts';

const AREA: Rectangle = { x: 0, y: 0, width: 460, height: 270 };

/** Where the bytes are: a treemap of tensors in groups by scheme, and a row for each tensor. */
export function sizesPanel(tensors: readonly VerifiedTensor[]): Panel {
  const groups = bySize(tensors);
  const total = groups.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    title: 'Bytes by tensor and scheme',
    note: `${formatBytes(total)} of weights in ${formatCount(tensors.length)} tensors. Areas are bytes, colours schemes.`,
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
        { header: 'bits a weight', align: 'right' },
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
  const cells = groups.flatMap(({ scheme, tensors }, group) => {
    const rectangles = squarify(
      tensors.map(({ bytes }) => bytes),
      areas[group]!,
    );
    return tensors.map((tensor, index) => cell(tensor, rectangles[index]!, fills.get(scheme)!));
  });
  return html`<svg class="plot treemap" viewBox="0 0 ${AREA.width} ${AREA.height}" role="img" aria-label="Treemap of tensors by bytes">${cells}</svg>`;
}

function cell(tensor: VerifiedTensor, { x, y, width, height }: Rectangle, fill: string): Markup {
  const [cx, cy, w, h] = [x, y, width, height].map(coordinate);
  const what = `${tensor.name}: ${tensor.scheme}, ${formatCount(tensor.bytes)} bytes, ${bitsOf(tensor)} bits a weight, relative RMS error ${formatSmall(tensor.relativeRmsError)}`;
  return html`<g><title>${what}</title><rect x="${cx!}" y="${cy!}" width="${w!}" height="${h!}" fill="${fill}"/>${labels(tensor, x, y, width, height)}</g>`;
}

const LETTER_WIDTH = 6.4;

/** Role, layer and size, as far as they fit. */
function labels(
  { role, layer, bytes }: VerifiedTensor,
  x: number,
  y: number,
  width: number,
  height: number,
): Markup[] {
  const lines = [
    role.replaceAll('_', ' '),
    layer === undefined ? formatBytes(bytes) : `${layer}: ${formatBytes(bytes)}`,
  ];
  const fits = lines.every((line) => line.length * LETTER_WIDTH + 8 <= width) && height >= 34;
  if (fits) return lines.map((line, index) => cellText(line, x, y + 15 + 13 * index));
  const short = layer === undefined ? lines[0]! : `${lines[0]} ${layer}`;
  return short.length * LETTER_WIDTH + 8 <= width && height >= 18 ? [cellText(short, x, y + 14)] : [];
}

function cellText(text: string, x: number, y: number): Markup {
  return html`<text x="${coordinate(x + 5)}" y="${coordinate(y)}">${text}</text>`;
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
