import { formatSmall } from '../../core/text/format.ts';
import type { VerifiedTensor } from '../../pipeline/verify.ts';
import { heat, RAMP } from '../drawing/palette.ts';
import { html, type Markup } from '../markup.ts';
import type { Panel } from '../panel.ts';

/** How far each matrix is off: a heat map of layers and roles, which is a table itself. */
export function tensorErrorsPanel(tensors: readonly VerifiedTensor[]): Panel {
  const shown = tensors.filter((tensor) => tensor.shape.length > 1 || tensor.relativeRmsError > 0);
  const largest = Math.max(0, ...shown.map((tensor) => tensor.relativeRmsError).filter(Number.isFinite));
  const share = (tensor: VerifiedTensor) => (largest === 0 ? 0 : tensor.relativeRmsError / largest);
  const inLayers = shown.filter(({ layer }) => layer !== undefined);
  const outside = shown.filter(({ layer }) => layer === undefined);
  const roles = [...new Set(inLayers.map(({ role }) => role))].sort();
  const layers = [...new Set(inLayers.map(({ layer }) => layer!))].sort((a, b) => a - b);
  const at = new Map(inLayers.map((tensor) => [`${tensor.layer} ${tensor.role}`, tensor]));
  const rows = layers.map((layer) => ({ layer, cells: roles.map((role) => at.get(`${layer} ${role}`)) }));

  const head = roles.map((role) => html`<th scope="col">${breakable(role)}</th>`);
  const body = rows.map(({ layer, cells }) => {
    const data = cells.map((tensor) =>
      tensor === undefined ? html`<td></td>` : heatCell(tensor, share(tensor)),
    );
    return html`<tr><th scope="row">${layer}</th>${data}</tr>`;
  });
  const others = outside.map(
    (tensor) => html`<tr><th scope="row">${tensor.role}</th>${heatCell(tensor, share(tensor))}</tr>`,
  );
  return {
    title: 'Error by layer and role',
    note: 'Root mean square of the error of a matrix, relative to that of its weights.',
    figure: html`<div class="scroll"><table class="heat"><thead><tr><th scope="col">layer</th>${head}</tr></thead><tbody>${body}</tbody></table></div>
<table class="heat outside"><tbody>${others}</tbody></table>
<p class="ramp"><span>0</span><span class="bar" style="background:linear-gradient(to right,${RAMP.join(',')})"></span><span>${formatSmall(largest)}</span></p>`,
    // A row has some 30 pixels, another panel some 440.
    height: Math.max(1, Math.round((30 * layers.length + 160) / 440)),
    chart: markdownTable(roles, rows, outside, share),
  };
}

function heatCell(tensor: VerifiedTensor, share: number): Markup {
  const { fill, ink } = heat(share);
  const error = tensor.relativeRmsError;
  return html`<td style="background:${fill};color:${ink}" title="${`${tensor.name}: ${tensor.scheme}, ${formatSmall(error)}`}">${short(error)}</td>`;
}

/** Two digits: colours show the rest. */
function short(error: number): string {
  if (error === 0 || !Number.isFinite(error)) return formatSmall(error);
  return formatSmall(Number(error.toPrecision(2)));
}

/** A name that may break after its underscores. */
function breakable(name: string): Markup[] {
  return name.split(/(?<=_)/).map((part) => html`${part}<wbr>`);
}

const SHADES = ['', '░', '▒', '▓', '█'];

function markdownTable(
  roles: readonly string[],
  rows: readonly { readonly layer: number; readonly cells: readonly (VerifiedTensor | undefined)[] }[],
  outside: readonly VerifiedTensor[],
  share: (tensor: VerifiedTensor) => number,
): string {
  const cell = (tensor: VerifiedTensor | undefined) => {
    if (tensor === undefined) return '';
    const shade = SHADES[Math.ceil(Math.min(1, share(tensor)) * (SHADES.length - 1))] ?? '█';
    return `${short(tensor.relativeRmsError)} ${shade}`.trim();
  };
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(['layer', ...roles.map((role) => `\`${role}\``)]),
    line(['---:', ...roles.map(() => '---:')]),
    ...rows.map(({ layer, cells }) => line([String(layer), ...cells.map(cell)])),
    '',
    outside.map((tensor) => `\`${tensor.role}\`: ${cell(tensor)}`).join(', '),
  ].join('\n');
}
