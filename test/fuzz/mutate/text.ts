import type { Dice } from '../../support/builders/dice.ts';
import type { Mutation } from '../target.ts';
import { hostileText } from './words.ts';

/** Changes a text line by line. */
export function mutateText(bytes: Uint8Array, dice: Dice): Mutation {
  const lines = Buffer.from(bytes).toString().split('\n');
  const at = dice.below(lines.length);
  const line = lines[at]!;
  switch (dice.below(5)) {
    case 0:
      lines.splice(at, 1);
      break;
    case 1:
      lines.splice(dice.below(lines.length + 1), 0, line);
      break;
    case 2:
      lines[at] =
        `${dice.pick(['- ', '  ', '\t', '"', "'", '#', '[', '{', '&a ', '*a', '!!js ', '|', '>'])}${line}`;
      break;
    case 3:
      lines[at] = line + dice.pick([': ', ' #', '"', "'", ']', '}', ',', '\r', ' |', '\\']);
      break;
    default:
      lines[at] = hostileText(line, dice);
  }
  return { bytes: Buffer.from(lines.join('\n')), change: `changes line ${at + 1}` };
}
