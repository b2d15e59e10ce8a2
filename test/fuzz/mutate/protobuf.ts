import type { Dice } from '../../support/builders/dice.ts';
import type { Mutation } from '../target.ts';
import { hostileInteger } from './numbers.ts';
import { hostileText } from './words.ts';

/** Which fields of a message are messages. */
export interface MessageShape {
  readonly [field: number]: MessageShape;
}

const NODE: MessageShape = { 5: {} };
const TENSOR: MessageShape = { 13: {} };
const VALUE: MessageShape = { 2: { 1: { 2: { 1: {} } } } };
/** Of ModelProto in onnx.proto. */
export const ONNX_MODEL: MessageShape = { 7: { 1: NODE, 5: TENSOR, 11: VALUE, 12: VALUE }, 8: {}, 14: {} };

interface Field {
  number: number;
  wire: number;
  value: bigint | Buffer | Field[];
}

/** Changes a field of a protobuf message at any depth; lengths of the messages around it follow. */
export function mutateProtobuf(shape: MessageShape) {
  return (bytes: Uint8Array, dice: Dice): Mutation | undefined => {
    let root: Field[];
    try {
      root = parse(Buffer.from(bytes), shape);
    } catch {
      return undefined;
    }
    const change = mutate(root, dice, '');
    return { bytes: print(root), change };
  };
}

function mutate(fields: Field[], dice: Dice, path: string): string {
  const at = dice.below(fields.length);
  const field = fields[at];
  if (field === undefined) {
    fields.push({ number: 1 + dice.below(20), wire: 0, value: 1n });
    return `fills ${path}`;
  }
  const here = `${path}.${field.number}`;
  if (Array.isArray(field.value) && dice.chance(0.9)) return mutate(field.value, dice, here);
  switch (dice.below(8)) {
    case 0:
      fields.splice(at, 1);
      return `removes ${here}`;
    case 1:
      fields.splice(dice.below(fields.length + 1), 0, structuredClone(field));
      return `doubles ${here}`;
    case 2: {
      const other = dice.below(fields.length);
      [fields[at], fields[other]] = [fields[other]!, field];
      return `swaps ${here} with number ${other}`;
    }
    case 3:
      field.number = dice.pick([0, 1, 2, 3, 5, 7, 8, 9, 13, 14, 20, 25, 2 ** 29 - 1]);
      return `renumbers ${here} to ${field.number}`;
    case 4:
      field.wire = dice.below(8);
      return `gives ${here} the wire type ${field.wire}`;
    default:
      field.value = changed(field.value, dice);
      return `changes ${here}`;
  }
}

function changed(value: Field['value'], dice: Dice): Field['value'] {
  if (typeof value === 'bigint') return BigInt.asUintN(64, hostileInteger(value, dice));
  if (Array.isArray(value)) return Buffer.from(hostileText('', dice));
  if (dice.chance(0.1)) return Buffer.concat([value, Buffer.alloc(dice.below(200), dice.below(256))]);
  if (dice.chance(0.2)) return value.subarray(0, dice.below(value.length + 1));
  return Buffer.from(hostileText(value.toString('latin1'), dice), dice.chance(0.8) ? 'utf8' : 'latin1');
}

function parse(bytes: Buffer, shape: MessageShape): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length; ) {
    const varint = () => {
      let value = 0n;
      for (let shift = 0n; ; shift += 7n) {
        const byte = bytes.readUInt8(at++);
        value |= BigInt(byte & 127) << shift;
        if (byte < 128) return value;
      }
    };
    const take = (count: number) => {
      if (!(at + count <= bytes.length)) throw new Error('ends early');
      at += count;
      return bytes.subarray(at - count, at);
    };
    const key = Number(varint());
    const [number, wire] = [key >> 3, key & 7];
    const inner = shape[number];
    if (wire === 0) fields.push({ number, wire, value: varint() });
    else if (wire === 1) fields.push({ number, wire, value: take(8) });
    else if (wire === 5) fields.push({ number, wire, value: take(4) });
    else if (wire === 2) {
      const content = take(Number(varint()));
      fields.push({ number, wire, value: inner ? parse(content, inner) : content });
    } else throw new Error('no wire type');
  }
  return fields;
}

function print(fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.flatMap(({ number, wire, value }) => {
      const key = varintBytes((BigInt(number) << 3n) | BigInt(wire));
      if (typeof value === 'bigint') return [key, varintBytes(value)];
      const content = Array.isArray(value) ? print(value) : value;
      return wire === 2 ? [key, varintBytes(BigInt(content.length)), content] : [key, content];
    }),
  );
}

function varintBytes(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}
