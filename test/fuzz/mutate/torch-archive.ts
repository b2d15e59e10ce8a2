import type { Dice } from '../../support/builders/dice.ts';
import { torchArchive } from '../../support/builders/torch-file.ts';
import type { Mutation } from '../target.ts';
import { readInteger, writeInteger } from './bytes.ts';
import { hostileInteger } from './numbers.ts';
import { mutatePickle } from './pickle.ts';
import { hostileText } from './words.ts';

type Part = [name: string, content: Uint8Array];

/**
 * Widths of the fields of a local header, a header of the directory, and the records of the end, after their
 * magic numbers.
 */
const LOCAL = [2, 2, 2, 2, 2, 4, 4, 4, 2, 2];
const CENTRAL = [2, 2, 2, 2, 2, 2, 4, 4, 4, 2, 2, 2, 2, 2, 4, 4];
const END = [8, 2, 2, 4, 4, 8, 8, 8, 8, 4, 4, 8, 4, 4, 2, 2, 2, 2, 4, 4, 2];

/** Changes the pickle, a part or a field of the headers of an archive of `torch.save`. */
export function mutateTorchArchive(bytes: Uint8Array, dice: Dice): Mutation | undefined {
  const parts = partsOf(Buffer.from(bytes));
  if (parts === undefined || parts.length === 0) return undefined;
  if (dice.chance(0.3)) return mutateFields(parts, dice);
  const pickle = parts.findIndex(([name]) => name.endsWith('data.pkl'));
  if (pickle >= 0 && dice.chance(0.7)) {
    const mutation = mutatePickle(parts[pickle]![1], dice);
    if (mutation === undefined) return undefined;
    parts[pickle] = [parts[pickle]![0], mutation.bytes];
    return { bytes: archive(parts, dice), change: mutation.change };
  }
  const change = mutateParts(parts, dice);
  return { bytes: archive(parts, dice), change };
}

function archive(parts: readonly Part[], dice: Dice): Buffer {
  const flags = dice.chance(0.9) ? 0x0808 : dice.pick([0, 1, 8, 0x800]);
  return torchArchive(parts, { flags, wide: dice.chance(0.1) }).content;
}

function mutateParts(parts: Part[], dice: Dice): string {
  const at = dice.below(parts.length);
  const [name, content] = parts[at]!;
  switch (dice.below(5)) {
    case 0:
      parts.splice(at, 1);
      return `lacks ${name}`;
    case 1:
      parts.splice(dice.below(parts.length + 1), 0, [name, content]);
      return `has ${name} twice`;
    case 2: {
      // Names are written as Latin-1.
      const renamed = Buffer.from(hostileText(name, dice)).toString('latin1').slice(0, 60_000);
      parts[at] = [renamed, content];
      return `calls ${name} otherwise`;
    }
    case 3: {
      const other = dice.below(parts.length);
      parts[at] = [name, parts[other]![1]];
      return `gives ${name} the content of another`;
    }
    default: {
      const end = dice.below(content.length + 1);
      parts[at] = [
        name,
        dice.chance(0.5) ? content.subarray(0, end) : Buffer.concat([content, Buffer.alloc(4)]),
      ];
      return `changes the size of ${name}`;
    }
  }
}

function mutateFields(parts: readonly Part[], dice: Dice): Mutation {
  const { content, entries, end } = torchArchive(parts, { wide: dice.chance(0.3) });
  const entry = dice.pick([...entries.values()]);
  const [start, widths, where] = dice.pick([
    [entry.local, LOCAL, 'a local header'],
    [entry.central, CENTRAL, 'a header of the directory'],
    [end, END, 'the end'],
  ] as const);
  const field = dice.below(widths.length);
  // The records of the end begin with a magic number each.
  const magics = widths === END ? 4 + (field > 9 ? 4 : 0) + (field > 12 ? 4 : 0) : 4;
  const at = start + magics + widths.slice(0, field).reduce((sum, width) => sum + width, 0);
  const width = Math.min(widths[field]!, content.length - at);
  if (width > 0) {
    const value = readInteger(content, at, width === 8 || width <= 6 ? width : 6);
    writeInteger(content, at, width, hostileInteger(value, dice));
  }
  return { bytes: content, change: `changes field ${field} of ${where}` };
}

/** Names and contents as the directory tells them; undefined where it does not. */
function partsOf(file: Buffer): Part[] | undefined {
  const parts: Part[] = [];
  for (let at = nextHeader(file, 0); at >= 0; at = nextHeader(file, at + 46)) {
    if (at + 46 > file.length) return undefined;
    const [bytes, nameBytes, local] = [
      file.readUInt32LE(at + 24),
      file.readUInt16LE(at + 28),
      file.readUInt32LE(at + 42),
    ];
    if (local + 30 > file.length) return undefined;
    const start = local + 30 + file.readUInt16LE(local + 26) + file.readUInt16LE(local + 28);
    if (start + bytes > file.length) return undefined;
    const name = file.subarray(at + 46, at + 46 + nameBytes).toString('latin1');
    parts.push([name, Buffer.from(file.subarray(start, start + bytes))]);
  }
  return parts;
}

function nextHeader(file: Buffer, from: number): number {
  return file.indexOf('PK\x01\x02', from, 'latin1');
}
