import type { Dice } from '../../support/builders/dice.ts';

/** Texts that move cursors, climb folders, reach prototypes, or are not what they look like. */
const HOSTILE: readonly string[] = [
  ...[
    '',
    ' ',
    '\0',
    '\n',
    '\r\n',
    '\u001b[2J\u001b[31m',
    '\u202egnp.exe',
    '\ufeff',
    '\ud800',
    '\udc00x',
    '😀',
  ],
  ...['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', 'length', '0', '-1', 'NaN'],
  ...[
    '..',
    '.',
    '../x',
    'a/../../x',
    '/etc/passwd',
    'C:\\x',
    '\\\\host\\s',
    'https://example.org/x',
    'a%2fb',
  ],
  ...['null', 'true', '[]', '{}', '<script>', '"', '\\', "'", 'é', 'e\u0301', 'İ', 'ﬁ', '\u2028'],
];

/** Another text in the place of `text`. */
export function hostileText(text: string, dice: Dice): string {
  switch (dice.below(6)) {
    case 0:
      return text.slice(0, dice.below(text.length + 1));
    case 1:
      return text + dice.pick(HOSTILE);
    case 2:
      return dice.pick(HOSTILE).repeat(1 + dice.below(dice.chance(0.05) ? 20_000 : 3));
    case 3: {
      const at = dice.below(text.length + 1);
      return (
        text.slice(0, at) + String.fromCharCode(dice.below(dice.chance(0.5) ? 128 : 65_536)) + text.slice(at)
      );
    }
    case 4:
      return dice.chance(0.5) ? text.toUpperCase() : [...text].reverse().join('');
    default:
      return dice.pick(HOSTILE);
  }
}
