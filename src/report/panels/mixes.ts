import { bitsPerWeight, type SchemeName } from '../../core/scheme.ts';
import { formatBytes, formatCount, formatPercent } from '../../core/text/format.ts';
import type { SweepPoint } from '../../pipeline/sweep.ts';
import { schemeFills } from '../drawing/palette.ts';
import { coordinate } from '../drawing/plot.ts';
import { html, type Markup } from '../markup.ts';
import type { Panel } from '../panel.ts';

/** Which schemes every size has, by the bytes of its matrices. */
export function mixesPanel(points: readonly SweepPoint[]): Panel {
  const mixes = points
    .map(({ allocation }) => ({ bytes: allocation.bytes, schemes: mixOf(allocation.tensors) }))
    .toSorted((a, b) => a.bytes - b.bytes);
  const schemes = [...new Set(mixes.flatMap((mix) => [...mix.schemes.keys()]))].sort(
    (a, b) => bitsPerWeight(a) - bitsPerWeight(b) || (a < b ? -1 : 1),
  );
  const fills = schemeFills(schemes);
  const share = (mix: (typeof mixes)[number], scheme: SchemeName) => {
    const all = [...mix.schemes.values()].reduce((sum, bytes) => sum + bytes, 0);
    return (mix.schemes.get(scheme) ?? 0) / all;
  };
  const legend = schemes.map(
    (scheme) => html`<li><span class="swatch" style="background:${fills.get(scheme)}"></span>${scheme}</li>`,
  );
  const rows = mixes.map((mix, row) => {
    let at = LEFT;
    const parts = schemes.map((scheme): Markup => {
      const width = share(mix, scheme) * (RIGHT - LEFT);
      const x = at;
      at += width;
      return html`<rect x="${coordinate(x)}" y="${ROW * row + 4}" width="${coordinate(width)}" height="${ROW - 8}" fill="${fills.get(scheme)}"><title>${scheme}: ${formatPercent(share(mix, scheme))}</title></rect>`;
    });
    return html`<text class="tick" x="${LEFT - 8}" y="${ROW * row + ROW / 2 + 4}" text-anchor="end">${formatBytes(mix.bytes)}</text>${parts}`;
  });
  return {
    title: 'Schemes of every size',
    note: 'Share of each scheme in the bytes of the matrices.',
    figure: html`<svg class="plot treemap" viewBox="0 0 460 ${ROW * mixes.length}" role="img" aria-label="Schemes of every size">${rows}</svg><ul class="legend">${legend}</ul>`,
    table: {
      columns: [
        { header: 'bytes', align: 'right' },
        ...schemes.map((scheme) => ({ header: scheme, align: 'right' as const })),
      ],
      rows: mixes.map((mix) => [
        formatCount(mix.bytes),
        ...schemes.map((scheme) => (mix.schemes.has(scheme) ? formatPercent(share(mix, scheme)) : '')),
      ]),
    },
  };
}

const [LEFT, RIGHT] = [72, 456];
const ROW = 34;

function mixOf(tensors: SweepPoint['allocation']['tensors']): ReadonlyMap<SchemeName, number> {
  const bytes = new Map<SchemeName, number>();
  for (const tensor of tensors) bytes.set(tensor.scheme, (bytes.get(tensor.scheme) ?? 0) + tensor.bytes);
  return bytes;
}
