import type { Dice } from '../../support/builders/dice.ts';
import type { Mutation } from '../target.ts';
import { hostileInteger } from './numbers.ts';

/** Changes of bytes that know nothing of what they mean. */
export function mutateBytes(bytes: Uint8Array, dice: Dice): Mutation {
  const at = dice.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + dice.below(dice.chance(0.5) ? 8 : 256));
  const spliced = (...middle: Uint8Array[]) =>
    Buffer.concat([bytes.subarray(0, at), ...middle, bytes.subarray(end)]);
  switch (dice.below(8)) {
    case 0: {
      const flipped = Buffer.from(bytes);
      if (at < bytes.length) flipped[at]! ^= 1 << dice.below(8);
      return { bytes: flipped, change: `flips a bit at ${at}` };
    }
    case 1: {
      const set = Buffer.from(bytes);
      if (at < bytes.length) set[at] = dice.pick([0, 1, 0x20, 0x7f, 0x80, 0xff, dice.below(256)]);
      return { bytes: set, change: `sets the byte at ${at}` };
    }
    case 2:
      return { bytes: bytes.slice(0, at), change: `cuts at ${at}` };
    case 3: {
      const more = Buffer.alloc(1 + dice.below(64), dice.pick([0, 0x20, 0xff]));
      return { bytes: Buffer.concat([bytes, more]), change: `adds ${more.length} bytes` };
    }
    case 4:
      return { bytes: spliced(), change: `removes ${at} to ${end}` };
    case 5:
      return {
        bytes: spliced(bytes.subarray(at, end), bytes.subarray(at, end)),
        change: `doubles ${at} to ${end}`,
      };
    case 6: {
      const from = dice.below(bytes.length + 1);
      const other = bytes.subarray(from, from + end - at);
      return { bytes: spliced(other), change: `copies from ${from} to ${at}` };
    }
    default:
      return withInteger(bytes, dice);
  }
}

/** Puts a boundary into the place of a little-endian integer. */
function withInteger(bytes: Uint8Array, dice: Dice): Mutation {
  const width = dice.pick([2, 4, 8]);
  if (bytes.length < width) return { bytes: new Uint8Array(), change: 'leaves nothing' };
  const at = dice.below(bytes.length - width + 1);
  const changed = Buffer.from(bytes);
  writeInteger(changed, at, width, hostileInteger(readInteger(changed, at, width), dice));
  return { bytes: changed, change: `changes the integer of ${width} bytes at ${at}` };
}

export function readInteger(bytes: Buffer, at: number, width: number): bigint {
  return width === 8 ? bytes.readBigUInt64LE(at) : BigInt(bytes.readUIntLE(at, width));
}

/** Writes the lowest bytes of `value`. */
export function writeInteger(bytes: Buffer, at: number, width: number, value: bigint): void {
  for (let i = 0; i < width; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 255n);
}
