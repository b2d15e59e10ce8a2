import { SCHEMES, schemeOfGgmlType } from '../../../src/core/scheme.ts';
import type { Dice } from '../../support/builders/dice.ts';
import type { Mutation } from '../target.ts';
import { readInteger, writeInteger } from './bytes.ts';
import {
  fixedBytes,
  type GgufNode,
  type GgufParts,
  type GgufText,
  parseGguf,
  printGguf,
} from './gguf-parts.ts';
import { hostileInteger } from './numbers.ts';
import { hostileText } from './words.ts';

/**
 * Changes a field of a GGUF, and may let the offsets of its tensors follow. Undefined where the file is
 * broken already.
 */
export function mutateGguf(bytes: Uint8Array, dice: Dice): Mutation | undefined {
  let parts: GgufParts;
  try {
    parts = parseGguf(Buffer.from(bytes));
  } catch {
    return undefined;
  }
  const roll = dice.below(10);
  let change: string;
  if (roll === 0) change = mutateHeader(parts, dice);
  else if (roll < 6) change = mutateKeys(parts, dice);
  else change = mutateTensors(parts, dice);
  if (dice.chance(0.4)) {
    layOut(parts);
    change += ', offsets following';
  }
  return { bytes: printGguf(parts), change };
}

function mutateHeader(parts: GgufParts, dice: Dice): string {
  switch (dice.below(5)) {
    case 0:
      parts.version = Number(BigInt.asUintN(32, hostileInteger(BigInt(parts.version), dice)));
      return `version ${parts.version}`;
    case 1:
      parts.keyCount = hostileInteger(BigInt(parts.keys.length), dice);
      return `says that it has ${parts.keyCount} keys`;
    case 2:
      parts.tensorCount = hostileInteger(BigInt(parts.tensors.length), dice);
      return `says that it has ${parts.tensorCount} tensors`;
    case 3:
      parts.alignment = dice.pick([1, 2, 4, 8, 16, 64, 4096]);
      return `is aligned to ${parts.alignment}`;
    default:
      parts.data = dice.chance(0.5)
        ? parts.data.subarray(0, dice.below(parts.data.length + 1))
        : Buffer.concat([parts.data, Buffer.alloc(1 + dice.below(100))]);
      return `has ${parts.data.length} bytes of data`;
  }
}

function mutateKeys({ keys }: GgufParts, dice: Dice): string {
  const at = dice.below(keys.length);
  const entry = keys[at];
  if (entry === undefined) return 'has no keys';
  const name = entry.key.content.toString('latin1');
  switch (dice.below(8)) {
    case 0:
      keys.splice(at, 1);
      return `lacks ${name}`;
    case 1:
      keys.splice(dice.below(keys.length + 1), 0, structuredCloneOf(entry));
      return `has ${name} twice`;
    case 2:
      changeText(entry.key, dice);
      return `renames ${name}`;
    case 3: {
      const other = dice.pick(keys);
      [entry.value, other.value] = [other.value, entry.value];
      return `swaps ${name} with another`;
    }
    case 4:
      entry.value.type = dice.pick([0, 1, 4, 5, 6, 7, 8, 9, 10, 12, 13, 255, 2 ** 31]);
      return `says that ${name} has type ${entry.value.type}`;
    case 5: {
      const type = dice.pick([0, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
      entry.value = freshNode(type, dice);
      return `gives ${name} a value of type ${type}`;
    }
    default:
      return `${name}: ${changeNode(entry.value, dice)}`;
  }
}

function structuredCloneOf<T extends { key: GgufText; value: GgufNode }>({ key, value }: T) {
  return { key: { ...key }, value: { ...value } };
}

function freshNode(type: number, dice: Dice): GgufNode {
  const bytes = fixedBytes(type);
  if (bytes !== undefined) return { kind: 'fixed', type, bytes: Buffer.alloc(bytes, dice.pick([0, 1, 255])) };
  if (type === 8) return { kind: 'text', type, text: { content: Buffer.from(hostileText('', dice)) } };
  const items = dice.pick([0, 4, 5, 6, 8, 9]);
  const length = dice.below(4);
  return { kind: 'array', type, items, nodes: Array.from({ length }, () => freshNode(items, dice)) };
}

function changeNode(node: GgufNode, dice: Dice): string {
  if (node.kind === 'fixed') {
    const { length } = node.bytes;
    const changed = Buffer.from(node.bytes);
    writeInteger(changed, 0, length, hostileInteger(readInteger(changed, 0, length), dice));
    node.bytes = changed;
    return `is ${changed.toString('hex')}`;
  }
  if (node.kind === 'text') return changeText(node.text, dice);
  switch (dice.below(6)) {
    case 0:
      node.length = hostileInteger(BigInt(node.nodes.length), dice);
      return `says that it has ${node.length} items`;
    case 1:
      node.items = dice.pick([0, 1, 4, 5, 6, 7, 8, 9, 10, 13]);
      return `says that its items have type ${node.items}`;
    case 2:
      node.nodes = node.nodes.slice(0, dice.below(node.nodes.length + 1));
      return `has only ${node.nodes.length} items`;
    case 3:
      node.nodes = [...node.nodes, ...node.nodes.slice(0, 1 + dice.below(3))];
      return `has ${node.nodes.length} items`;
    default: {
      const at = dice.below(node.nodes.length);
      const item = node.nodes[at];
      if (item === undefined) return 'is as it was';
      const copy: GgufNode = item.kind === 'text' ? { ...item, text: { ...item.text } } : { ...item };
      node.nodes = node.nodes.with(at, copy);
      return `item ${at} ${changeNode(copy, dice)}`;
    }
  }
}

function changeText(text: GgufText, dice: Dice): string {
  if (dice.chance(0.15)) {
    text.length = hostileInteger(BigInt(text.content.length), dice);
    return `says that it has ${text.length} bytes`;
  }
  if (dice.chance(0.1)) {
    text.content = Buffer.concat([text.content, Buffer.from([dice.pick([0xff, 0x80, 0xc0, 0xed])])]);
    return 'is not UTF-8';
  }
  const changed = hostileText(text.content.toString(), dice);
  text.content = Buffer.from(changed);
  return `is ${JSON.stringify(changed.slice(0, 40))}`;
}

function mutateTensors(parts: GgufParts, dice: Dice): string {
  const { tensors } = parts;
  const at = dice.below(tensors.length);
  const tensor = tensors[at];
  if (tensor === undefined) return 'has no tensors';
  const name = tensor.name.content.toString('latin1');
  switch (dice.below(9)) {
    case 0:
      tensors.splice(at, 1);
      return `lacks ${name}`;
    case 1:
      tensors.splice(dice.below(tensors.length + 1), 0, { ...tensor, name: { ...tensor.name } });
      return `has ${name} twice`;
    case 2:
      changeText(tensor.name, dice);
      return `renames ${name}`;
    case 3: {
      const other = dice.pick(tensors);
      [tensor.name, other.name] = [other.name, tensor.name];
      return `swaps the name of ${name}`;
    }
    case 4: {
      const dim = dice.below(tensor.dims.length);
      tensor.dims[dim] = hostileInteger(tensor.dims[dim] ?? 1n, dice);
      return `${name} is [${tensor.dims}]`;
    }
    case 5:
      if (dice.chance(0.3)) tensor.rank = dice.pick([0, 5, 2 ** 31, 2 ** 32 - 1]);
      else if (dice.chance(0.5)) tensor.dims.push(1n);
      else tensor.dims = tensor.dims.toReversed();
      return `${name} is [${tensor.dims}] of rank ${tensor.rank ?? tensor.dims.length}`;
    case 6:
      tensor.type = dice.chance(0.9) ? dice.below(45) : 2 ** 31;
      return `${name} has type ${tensor.type}`;
    case 7:
      tensor.offset = hostileInteger(tensor.offset, dice);
      return `${name} lies at ${tensor.offset}`;
    default:
      return damageData(parts, dice);
  }
}

/** A float that is none, negative, or beyond all others. */
function damageData(parts: GgufParts, dice: Dice): string {
  const at = 4 * dice.below(Math.floor(parts.data.length / 4));
  if (at + 4 > parts.data.length) return 'has no data';
  parts.data = Buffer.from(parts.data);
  const value = dice.pick([0, -0, -1, 1e-45, 3.4e38, NaN, Infinity, -Infinity, 65_536, 0.5]);
  parts.data.writeFloatLE(value, at);
  return `${value} at ${at} of the data`;
}

const MAX_DATA = 1 << 20;

/** Puts tensors one behind the other, with as much data as they take where that is little. */
function layOut(parts: GgufParts): void {
  let end = 0n;
  const step = BigInt(parts.alignment);
  for (const tensor of parts.tensors) {
    const scheme = schemeOfGgmlType(tensor.type);
    if (scheme === undefined) return;
    const { blockSize, blockBytes } = SCHEMES[scheme];
    const elements = tensor.dims.reduce((product, dim) => product * dim, 1n);
    tensor.offset = end;
    end = ((end + (elements / BigInt(blockSize)) * BigInt(blockBytes) + step - 1n) / step) * step;
  }
  if (end < 0n || end > MAX_DATA) return;
  const data = Buffer.alloc(Number(end), 1);
  parts.data.copy(data);
  parts.data = data;
}
