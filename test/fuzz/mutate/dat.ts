import type { Dice } from '../../support/builders/dice.ts';
import type { Mutation } from '../target.ts';
import { readInteger, writeInteger } from './bytes.ts';
import { hostileInteger } from './numbers.ts';

/** Changes a word of a file that is made of words of four bytes: a count, a length or a float. */
export function mutateWords(bytes: Uint8Array, dice: Dice): Mutation | undefined {
  if (bytes.length < 4) return undefined;
  // Texts between the words have any length, so words may begin anywhere.
  const at = dice.below(bytes.length - 3);
  const changed = Buffer.from(bytes);
  if (dice.chance(0.3)) {
    const value = dice.pick([0, -0, -1, 1e-45, 3.4e38, NaN, Infinity, 0.5]);
    changed.writeFloatLE(value, at);
    return { bytes: changed, change: `${value} at ${at}` };
  }
  const value = hostileInteger(readInteger(changed, at, 4), dice);
  writeInteger(changed, at, 4, value);
  return { bytes: changed, change: `${value} at ${at}` };
}
