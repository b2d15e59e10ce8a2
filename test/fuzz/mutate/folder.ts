import type { Dice } from '../../support/builders/dice.ts';
import type { Files, Subject } from '../target.ts';
import { mutateBytes } from './bytes.ts';

/** An input and what makes it differ from a valid one. */
export interface Draft {
  readonly files: Files;
  readonly changes: readonly string[];
}

/** Makes the input of a case: a seed with one to three changes. */
export function draft({ seeds, mutatorOf, follow }: Subject, dice: Dice): Draft {
  const seed = dice.below(seeds.length);
  const files = new Map(seeds[seed]);
  const changes = [`seed ${seed}`];
  for (let left = 1 + dice.below(3); left > 0; left--) {
    const name = dice.maybe([...files.keys()]);
    if (name === undefined) break;
    const bytes = files.get(name)!;
    const isWhole = dice.chance(0.02);
    if (isWhole) changes.push(changeFolder(files, name, dice));
    else {
      const known = dice.chance(0.85) ? mutatorOf(name)(bytes, dice) : undefined;
      const mutation = known ?? mutateBytes(bytes, dice);
      files.set(name, mutation.bytes);
      changes.push(`${name}: ${mutation.change}`);
    }
  }
  return { files: follow?.(files, dice) ?? files, changes };
}

function changeFolder(files: Map<string, Uint8Array>, name: string, dice: Dice): string {
  const bytes = files.get(name)!;
  switch (dice.below(4)) {
    case 0:
      files.delete(name);
      return `${name} is missing`;
    case 1:
      files.set(name, new Uint8Array());
      return `${name} is empty`;
    case 2: {
      const other = dice.pick([...files.keys()]);
      files.set(name, files.get(other)!);
      files.set(other, bytes);
      return `${name} and ${other} are swapped`;
    }
    default:
      files.set(name, Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n'));
      return `${name} is a pointer of Git LFS`;
  }
}
