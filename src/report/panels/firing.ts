import { formatPercent } from '../../core/text/format.ts';
import type { Verification } from '../../pipeline/verify.ts';
import { coordinate, PLOT_X, PLOT_Y, plot } from '../drawing/plot.ts';
import { linearScale } from '../drawing/scale.ts';
import { textBar } from '../drawing/text-bar.ts';
import { html, type Markup } from '../markup.ts';
import type { Panel } from '../panel.ts';

/** How many neurons of the FFN fire, by layer. A sparse FFN need not read the weights of the others. */
export function firingPanel({ firing }: Pick<Verification, 'firing'>): Panel {
  const title = 'Neurons that fire';
  if (firing === undefined)
    return { title, note: 'The engine does not report which neurons of the FFN fire.' };
  const series = [
    ...(firing.reference ? [{ name: 'source', rates: firing.reference }] : []),
    ...(firing.artifact ? [{ name: 'artifact', rates: firing.artifact }] : []),
  ];
  const layers = Math.max(...series.map(({ rates }) => rates.length));
  const missing =
    series.length === 2
      ? ''
      : ` The engine of the ${firing.artifact ? 'source' : 'artifact'} does not report it.`;
  const share = (rate: number | undefined) => (rate === undefined ? '' : formatPercent(rate));
  return {
    title,
    note: `Share of the FFN's neurons above zero after the squared ReLU, mean over the text.${missing}`,
    figure: html`${bars(series, layers)}<ul class="legend">${series.map(({ name }) => html`<li><span class="swatch ${name}"></span>${name}</li>`)}</ul>`,
    chart: series
      .flatMap(({ name, rates }) =>
        rates.map(
          (rate, layer) => `    ${String(layer).padStart(3)} ${textBar(rate)} ${share(rate)} ${name}`,
        ),
      )
      .join('\n'),
    table: {
      columns: [
        { header: 'layer', align: 'right' },
        ...series.map(({ name }) => ({ header: name, align: 'right' as const })),
      ],
      rows: Array.from({ length: layers }, (_, layer) => [
        String(layer),
        ...series.map(({ rates }) => share(rates[layer])),
      ]),
    },
  };
}

interface Series {
  readonly name: string;
  readonly rates: readonly number[];
}

function bars(series: readonly Series[], layers: number): Markup {
  const y = linearScale([0, Math.max(...series.flatMap(({ rates }) => rates))], PLOT_Y);
  const [left, right] = PLOT_X;
  const step = (right - left) / layers;
  const width = Math.min(36, (0.8 * step) / series.length);
  const marks = series.flatMap(({ name, rates }, index) =>
    rates.map((rate, layer) => {
      const x = left + step * (layer + 0.5) + width * (index - series.length / 2);
      return html`<rect class="${name}" x="${coordinate(x)}" y="${coordinate(y.at(rate))}" width="${coordinate(width)}" height="${coordinate(PLOT_Y[0] - y.at(rate))}"><title>layer ${layer}, ${name}: ${formatPercent(rate)}</title></rect>`;
    }),
  );
  // As many layers are labelled as have room.
  const every = Math.ceil(24 / step);
  const ticks = Array.from({ length: Math.ceil(layers / every) }, (_, index) => index * every);
  const scale = { ticks, at: (layer: number) => left + step * (layer + 0.5) };
  const percent = (share: number) => `${Number((100 * share).toFixed(1))} %`;
  return plot(
    'Share of neurons that fire, by layer',
    { label: 'layer', scale, format: String },
    { label: 'neurons that fire', scale: y, format: percent },
    marks,
  );
}
