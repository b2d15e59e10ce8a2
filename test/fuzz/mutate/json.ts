import type { Dice } from '../../support/builders/dice.ts';
import type { Mutation } from '../target.ts';
import { type JsonTree, type Member, parseTree, printTree, scalar } from './json-tree.ts';
import { HOSTILE_NUMBERS, hostileInteger } from './numbers.ts';
import { hostileText } from './words.ts';

/** Changes a value, a key or the shape of a JSON document. Undefined where the document is broken already. */
export function mutateJson(bytes: Uint8Array, dice: Dice): Mutation | undefined {
  try {
    const { tree, change } = mutateTree(parseTree(Buffer.from(bytes).toString()), dice);
    return { bytes: Buffer.from(printTree(tree)), change };
  } catch {
    // No JSON any more, or nested deeper than the stack is.
    return undefined;
  }
}

/** A member of a document, and those beside it. */
interface Place {
  readonly path: string;
  readonly members: Member[];
  readonly index: number;
}

/** Changes `tree`, perhaps in place. */
export function mutateTree(tree: JsonTree, dice: Dice): { tree: JsonTree; change: string } {
  const place = somePlace(tree, dice);
  if (place === undefined || dice.chance(0.01)) {
    return { tree: other(tree, tree, dice), change: 'replaces the document' };
  }
  const { members, index, path } = place;
  const member = members[index]!;
  const told = (change: string) => ({ tree, change: `${change} ${path}` });
  switch (dice.below(member.key === undefined ? 6 : 9)) {
    case 0:
      members.splice(index, 1);
      return told('removes');
    case 1:
      members.splice(dice.below(members.length + 1), 0, structuredClone(member));
      return told('doubles');
    case 2: {
      const neighbour = dice.pick(members);
      [member.value, neighbour.value] = [neighbour.value, member.value];
      return told('swaps with a neighbour');
    }
    case 3:
      member.value = structuredClone(someValue(tree, dice));
      return told('copies another value to');
    case 6:
    case 7:
      member.key = dice.chance(0.3) ? dice.pick(members).key! : hostileText(member.key!, dice);
      return told('renames');
    case 8:
      members.push({ key: hostileText('', dice), value: other(member.value, tree, dice) });
      return told('adds a member beside');
    default:
      member.value = other(member.value, tree, dice);
      return told('changes');
  }
}

/**
 * Goes down at random, so that a field of the root is met as often as one of a thousand tokens. Undefined
 * where nothing is inside.
 */
function somePlace(root: JsonTree, dice: Dice): Place | undefined {
  let place: Place | undefined;
  for (let value = root, path = '$'; value.kind !== 'scalar' && value.members.length > 0; ) {
    const { members } = value;
    const index = dice.below(members.length);
    const { key, value: inner } = members[index]!;
    path += key === undefined ? `[${index}]` : `.${key.slice(0, 40)}`;
    place = { path, members, index };
    if (dice.chance(0.25)) break;
    value = inner;
  }
  return place;
}

function someValue(root: JsonTree, dice: Dice): JsonTree {
  const place = somePlace(root, dice);
  return place === undefined ? root : place.members[place.index]!.value;
}

/** A value that is close to `value`, or of another type. */
function other(value: JsonTree, root: JsonTree, dice: Dice): JsonTree {
  if (dice.chance(0.1)) return dice.pick([scalar('null'), scalar('true'), scalar('false'), scalar('""')]);
  if (dice.chance(0.05)) return nested(value, dice);
  if (dice.chance(0.1)) return { kind: dice.pick(['array', 'object'] as const), members: [] };
  if (value.kind !== 'scalar' || dice.chance(0.1))
    return dice.chance(0.5) ? number(value, dice) : text('', dice);
  if (value.text.startsWith('"') && dice.chance(0.8)) {
    const found = someValue(root, dice);
    if (dice.chance(0.2) && found.kind === 'scalar') return found;
    return text(safeString(value.text), dice);
  }
  return number(value, dice);
}

function nested(value: JsonTree, dice: Dice): JsonTree {
  const depth = dice.chance(0.05) ? 20_000 : dice.pick([1, 2, 10, 127, 128, 129, 200]);
  const [open, close] = dice.pick([
    ['[', ']'],
    ['{"a":', '}'],
  ] as const);
  const inner = depth > 1 ? '0' : printTree(value);
  return scalar(open.repeat(depth) + inner + close.repeat(depth));
}

function number(value: JsonTree, dice: Dice): JsonTree {
  const known = value.kind === 'scalar' && /^-?\d{1,30}$/.test(value.text);
  if (!known || dice.chance(0.3)) return scalar(dice.pick(HOSTILE_NUMBERS));
  return scalar(String(hostileInteger(BigInt(value.text), dice)));
}

function text(value: string, dice: Dice): JsonTree {
  const json = JSON.stringify(hostileText(value, dice));
  // Well-formed JSON has escapes that JSON.stringify does not write.
  return scalar(
    dice.chance(0.1) ? json.replace(/[a-z]/, (c) => `\\u00${c.charCodeAt(0).toString(16)}`) : json,
  );
}

function safeString(json: string): string {
  try {
    return JSON.parse(json);
  } catch {
    return '';
  }
}
