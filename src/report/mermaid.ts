/** Charts for Markdown of GitHub, which shows no inline SVG. All text in them is ours. */

interface XyChart {
  readonly title: string;
  /** Names of categories, or the ends of a range. */
  readonly x: readonly string[] | { readonly label: string; readonly from: number; readonly to: number };
  readonly y: string;
  readonly bars?: readonly number[];
  readonly lines?: readonly (readonly number[])[];
}

export function xyChart({ title, x, y, bars, lines = [] }: XyChart): string {
  const axis =
    'label' in x ? `"${x.label}" ${x.from} --> ${x.to}` : `[${x.map((name) => `"${name}"`).join(', ')}]`;
  return [
    '```mermaid',
    'xychart-beta',
    `  title "${title}"`,
    `  x-axis ${axis}`,
    `  y-axis "${y}"`,
    ...(bars === undefined ? [] : [`  bar ${list(bars)}`]),
    ...lines.map((values) => `  line ${list(values)}`),
    '```',
  ].join('\n');
}

/** Mermaid takes no exponents. */
function list(values: readonly number[]): string {
  return `[${values.map((value) => plain(Number.isFinite(value) ? value : 0)).join(', ')}]`;
}

function plain(value: number): string {
  return value.toFixed(9).replace(/\.?0+$/, '');
}
