import { escapeControls } from '../../../core/text/format.ts';

/** The escape character of the colours that themes put around text. */
const ESCAPE = '\u001b';
const STYLE = new RegExp(`(${ESCAPE}\\[\\d{1,2}m)`);
/**
 * Text that CI runners take for a command in a log: `::error::` at the start of a line on GitHub, `##[…]` and
 * `##vso[…]` anywhere on GitHub and Azure.
 */
const COMMAND = /(?<=^\s*)::|##(?=\w*\[)/g;

/**
 * One line for a terminal or a log. Escapes only what could move the cursor, begin another line, turn the
 * direction of writing, or give a command to a CI runner. With `styled`, the colours of themes stay.
 */
export function terminalLine(line: string, styled: boolean): string {
  const parts = styled ? line.split(STYLE) : [line];
  return parts
    .map((part, index) => (index % 2 === 1 ? part : escapeControls(part)))
    .join('')
    .replace(COMMAND, (found) => `${found[0]}\\u{${found.charCodeAt(1).toString(16)}}`);
}

/** The same for a JSON document, with the escapes of JSON strings. */
export function terminalJson(text: string): string {
  return text
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => (character === '\n' ? character : jsonEscape(character)))
    .replace(/##(?=\w*\[)/g, (found) => `#${jsonEscape(found[1]!)}`);
}

function jsonEscape(character: string): string {
  return Array.from({ length: character.length }, (_, index) => {
    return `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`;
  }).join('');
}
