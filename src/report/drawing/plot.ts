import { formatSmall } from '../../core/text/format.ts';
import { html, type Markup } from '../markup.ts';
import type { Range, Scale } from './scale.ts';

/** Size in CSS pixels: narrow, so that text stays readable on a phone. */
const WIDTH = 460;
const HEIGHT = 270;
/** Where marks may lie. */
export const PLOT_X: Range = [64, 448];
export const PLOT_Y: Range = [226, 14];

export interface Axis {
  readonly label: string;
  readonly scale: Scale;
  readonly format?: (value: number) => string;
}

/** Two axes with grid lines below `marks`, which lie within `PLOT_X` and `PLOT_Y`. */
export function plot(label: string, x: Axis, y: Axis, marks: readonly Markup[]): Markup {
  const [left, right] = PLOT_X;
  const [bottom, top] = PLOT_Y;
  const xTicks = x.scale.ticks.map((tick) => {
    const at = coordinate(x.scale.at(tick));
    return html`<line class="grid" x1="${at}" x2="${at}" y1="${top}" y2="${bottom}"/><text class="tick" x="${at}" y="${bottom + 16}" text-anchor="middle">${(x.format ?? formatSmall)(tick)}</text>`;
  });
  const yTicks = y.scale.ticks.map((tick) => {
    const at = coordinate(y.scale.at(tick));
    return html`<line class="grid" x1="${left}" x2="${right}" y1="${at}" y2="${at}"/><text class="tick" x="${left - 6}" y="${at + 4}" text-anchor="end">${(y.format ?? formatSmall)(tick)}</text>`;
  });
  return html`<svg class="plot" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}">
${xTicks}${yTicks}<line class="axis" x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>
${marks}
<text class="label" x="${(left + right) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${x.label}</text>
<text class="label" transform="rotate(-90)" x="${-(top + bottom) / 2}" y="12" text-anchor="middle">${y.label}</text>
</svg>`;
}

/** A vertical line with a name beside its top, number `index` of several. */
export function marker(name: string, at: number, index: number): Markup {
  const [left, right] = PLOT_X;
  const isRight = at > (left + right) / 2;
  const x = coordinate(at);
  return html`<g class="marker"><line x1="${x}" x2="${x}" y1="${PLOT_Y[1]}" y2="${PLOT_Y[0]}"/><text x="${x + (isRight ? -5 : 5)}" y="${PLOT_Y[1] + 10 + 14 * index}" text-anchor="${isRight ? 'end' : 'start'}">${name}</text></g>`;
}

/** A number of an SVG: hundredths of a pixel are not seen. */
export function coordinate(value: number): number {
  return Number(value.toFixed(2));
}
