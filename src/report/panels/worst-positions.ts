import { formatCount, formatPercent, formatSmall } from '../../core/text/format.ts';
import type { PositionText, Prediction } from '../../pipeline/verify.ts';
import { html, type Markup } from '../markup.ts';
import type { Panel } from '../panel.ts';

/** The positions where source and artifact part most, with their text. */
export function worstPositionsPanel(worst: readonly PositionText[]): Panel {
  return {
    title: 'Worst positions',
    note: 'What both have read last, the token that follows, and what each held for the likeliest instead.',
    isWide: true,
    figure: html`<ol class="worst">${worst.map(item)}</ol>`,
    table: {
      columns: [
        { header: 'KLD', align: 'right' },
        { header: 'token', align: 'right' },
        { header: 'text' },
        { header: 'next' },
        { header: 'source' },
        { header: 'p of next', align: 'right' },
        { header: 'artifact' },
        { header: 'p of next', align: 'right' },
      ],
      rows: worst.map((position) => [
        formatSmall(position.kld),
        formatCount(position.index),
        position.text,
        position.next === undefined ? '' : quoted(position.next),
        guess(position.reference),
        ofNext(position.reference),
        guess(position.artifact),
        ofNext(position.artifact),
      ]),
    },
  };
}

function item({ kld, index, window, position, text, next, reference, artifact }: PositionText): Markup {
  const following = next === undefined ? html`<i>end of the text</i>` : html`<mark>${token(next)}</mark>`;
  const line = (name: string, prediction: Prediction) =>
    html`<dt>${name}</dt><dd>expects ${guess(prediction)}${prediction.ofNext === undefined ? '' : `; the next token has ${ofNext(prediction)}`}</dd>`;
  return html`<li><p class="where"><b>${formatSmall(kld)}</b> nats at token ${formatCount(index)} (window ${formatCount(window)}, position ${formatCount(position)})</p>
<p class="text"><bdi>${text}</bdi>${following}</p><dl>${line('source', reference)}${line('artifact', artifact)}</dl></li>`;
}

function guess({ token: text, probability }: Prediction): string {
  return `${quoted(text)} with ${formatPercent(probability)}`;
}

function ofNext({ ofNext: probability }: Prediction): string {
  return probability === undefined ? '' : formatPercent(probability);
}

/** In quotes, so that spaces show. */
function quoted(text: string): string {
  return text === '' ? 'padding' : `“${text}”`;
}

/** A token that stands out by its background: its spaces show by that. */
function token(text: string): string {
  return text === '' ? 'padding' : text;
}
