/** A chart for Markdown of GitHub, which shows no inline SVG. All text in it is ours. */
interface XyChart {
  readonly title: string;
  /** Names of categories, or what goes from one value to another. */
  readonly x: readonly string[] | MermaidAxis;
  readonly y: MermaidAxis;
  readonly kind: 'bar' | 'line';
  /** Those that are not finite are drawn at the foot. */
  readonly values: readonly number[];
}

interface MermaidAxis {
  readonly label: string;
  readonly from: number;
  readonly to: number;
}

export function xyChart({ title, x, y, kind, values }: XyChart): string {
  const drawn = values.map((value) => plain(Number.isFinite(value) ? value : y.from));
  return [
    '```mermaid',
    'xychart-beta',
    `  title "${title}"`,
    `  x-axis ${'label' in x ? axis(x) : `[${x.map((name) => `"${name}"`).join(', ')}]`}`,
    `  y-axis ${axis(y)}`,
    `  ${kind} [${drawn.join(', ')}]`,
    '```',
  ].join('\n');
}

function axis({ label, from, to }: MermaidAxis): string {
  return `"${label}" ${plain(from)} --> ${plain(to > from ? to : from + 1)}`;
}

/** Mermaid takes no exponents. */
function plain(value: number): string {
  return value.toFixed(9).replace(/\.?0+$/, '');
}
