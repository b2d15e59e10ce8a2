import { visible } from './format.ts';

/** Text that stays text: whatever means something in Markdown or HTML becomes a character reference. */
export function escapeMarkdown(text: string): string {
  return visible(text).replace(
    /[&<>\\`*[\]#|~@$]|(?<!\w)_|_(?!\w)|:(?=\/|\w+:)|(?<=^|\s)[-+](?=\s)|(?<=^\d+)[.)](?=\s)|www/g,
    (found) => (found === 'www' ? '&#119;ww' : `&#${found.codePointAt(0)};`),
  );
}
