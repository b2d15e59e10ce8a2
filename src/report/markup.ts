import { escapeHtml } from '../core/text/html-text.ts';

/** Text that is HTML or SVG already. Only `html` makes it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Part = string | number | Markup | readonly Markup[] | undefined;

/**
 * A piece of HTML or SVG. What stands in it as markup stays, everything else is text: escaped for elements
 * and quoted attributes, with control characters shown.
 */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(strings.reduce((text, string, index) => text + rendered(parts[index - 1]) + string));
}

function rendered(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Markup) return part.text;
  if (typeof part === 'number') return String(part);
  if (typeof part === 'string') return escapeHtml(part);
  return part.map(({ text }) => text).join('');
}
