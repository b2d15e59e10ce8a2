import { bitsPerWeight, type SchemeName } from '../../core/scheme.ts';

/**
 * Fills that people with any colour vision tell apart and black text can be read on (Paul Tol's light
 * scheme).
 */
const FILLS = [
  '#77aadd',
  '#ee8866',
  '#eedd88',
  '#44bb99',
  '#ffaabb',
  '#99ddff',
  '#bbcc33',
  '#aaaa00',
  '#dddddd',
] as const;

/** A fill for each scheme, in the order of their bits; beyond nine they repeat. */
export function schemeFills(schemes: Iterable<SchemeName>): ReadonlyMap<SchemeName, string> {
  const order = [...new Set(schemes)].sort((a, b) => bitsPerWeight(a) - bitsPerWeight(b) || (a < b ? -1 : 1));
  return new Map(order.map((scheme, index) => [scheme, FILLS[index % FILLS.length]!]));
}

/**
 * Stops of cividis (Nuñez, Anderton and Renslow, 2018), which looks alike to people with any colour vision.
 */
const STOPS: readonly (readonly [red: number, green: number, blue: number])[] = [
  [253, 231, 55],
  [202, 185, 105],
  [149, 143, 120],
  [102, 105, 112],
  [48, 70, 107],
  [0, 32, 81],
];

export const RAMP = STOPS.map((stop) => hex(stop));

/**
 * Fill and ink of a value from 0, light, to 1, dark. The ink is the one of black and white that can be read
 * better.
 */
export function heat(share: number): { readonly fill: string; readonly ink: string } {
  const at = Math.min(1, Math.max(0, share)) * (STOPS.length - 1);
  const low = Math.min(STOPS.length - 2, Math.floor(at));
  const color = [0, 1, 2].map((channel) =>
    Math.round(STOPS[low]![channel]! + (at - low) * (STOPS[low + 1]![channel]! - STOPS[low]![channel]!)),
  );
  // Where relative luminance (WCAG 2) is 0.179, black and white have the same contrast.
  return { fill: hex(color), ink: luminance(color) > 0.179 ? '#000000' : '#ffffff' };
}

function luminance(color: readonly number[]): number {
  const [red, green, blue] = color.map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

function hex(color: readonly number[]): string {
  return `#${color.map((channel) => channel.toString(16).padStart(2, '0')).join('')}`;
}
