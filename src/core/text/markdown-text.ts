import { escapeControls, visible } from './format.ts';

/**
 * Text that stays text: whatever means something in Markdown or HTML becomes a character reference. What it
 * stands in may be a heading, an item, a cell, the text of a link, or a line of its own.
 */
export function escapeMarkdown(text: string): string {
  return visible(text).replace(
    /[&<>\\`*[\]#|~@$]|(?<!\w)_|_(?!\w)|:(?=\/|[\w+-]+:)|(?<=^|\s)[-+](?=\s|$)|^[-=](?=[-=\s]*$)|(?<=^\d+)[.)](?=\s|$)|w(?=ww)|^ /gi,
    (found) => `&#${found.codePointAt(0)};`,
  );
}

/** A code span, which no backtick can end. */
export function markdownCode(text: string): string {
  return /^[\w.:/-]+$/.test(text) ? `\`${text}\`` : `<code>${escapeMarkdown(text)}</code>`;
}

/** A block of code, which no line can end. */
export function markdownBlock(language: string, lines: readonly string[]): string[] {
  const runs = lines.flatMap((line) => line.match(/`+/g) ?? []).map((run) => run.length);
  const fence = '`'.repeat(runs.reduce((longest, run) => Math.max(longest, run + 1), 3));
  return [`${fence}${language}`, ...lines.map(escapeControls), fence];
}

/** An address inside the repository as the target of a link. */
export function markdownAddress(path: string): string {
  const encode = (part: string) =>
    encodeURIComponent(part).replace(
      /[!'()*]/g,
      (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  return `./${path.split('/').map(encode).join('/')}`;
}
