import type { Dice } from '../../support/builders/dice.ts';
import type { Mutation } from '../target.ts';
import { hostileInteger } from './numbers.ts';
import { hostileText } from './words.ts';

/** Bytes of the arguments of opcodes; those of texts begin with a length of so many bytes. */
const FIXED: Readonly<Record<number, number>> = {
  128: 1,
  75: 1,
  77: 2,
  74: 4,
  104: 1,
  106: 4,
  113: 1,
  114: 4,
  149: 8,
};
const TEXTS: Readonly<Record<number, number>> = { 88: 4, 140: 1, 141: 8, 138: 1 };
const GLOBAL = 0x63;

/** What a state dict has, what Python knows besides, and what nothing knows. */
const OPCODES = Buffer.from(
  ')}(.tsubQRN\x85\x86\x87\x88\x89\x93\x94\x30\x31\x32]leaoc\x81\x92\x97\xff',
  'latin1',
);

interface Step {
  readonly opcode: number;
  readonly argument: Buffer;
}

/** Changes an opcode of a pickle, or its argument. Undefined where the pickle is broken already. */
export function mutatePickle(bytes: Uint8Array, dice: Dice): Mutation | undefined {
  const steps = stepsOf(Buffer.from(bytes));
  if (steps === undefined) return undefined;
  const at = dice.below(steps.length);
  const step = steps[at]!;
  const name = `opcode ${at} (0x${step.opcode.toString(16)})`;
  const told = (change: string) => ({ bytes: join(steps), change });
  switch (dice.below(7)) {
    case 0:
      steps.splice(at, 1);
      return told(`removes ${name}`);
    case 1:
      steps.splice(dice.below(steps.length + 1), 0, step);
      return told(`doubles ${name}`);
    case 2: {
      const other = dice.below(steps.length);
      [steps[at], steps[other]] = [steps[other]!, step];
      return told(`swaps ${name} with ${other}`);
    }
    case 3:
      steps.splice(at, 0, { opcode: dice.pick([...OPCODES]), argument: Buffer.alloc(0) });
      return told(`puts another opcode before ${name}`);
    case 4: {
      const end = at + 1 + dice.below(12);
      steps.splice(dice.below(steps.length + 1), 0, ...steps.slice(at, end));
      return told(`copies what follows ${name}`);
    }
    default:
      steps[at] = { opcode: step.opcode, argument: otherArgument(step, dice) };
      return told(`changes the argument of ${name}`);
  }
}

function otherArgument({ opcode, argument }: Step, dice: Dice): Buffer {
  const width = TEXTS[opcode];
  if (opcode === GLOBAL) {
    const [module, name] = argument.toString('latin1').split('\n');
    const other = dice.chance(0.3)
      ? ['os', 'system']
      : [hostileText(module!, dice), hostileText(name!, dice)];
    return Buffer.from(`${other.join('\n')}\n`);
  }
  if (width !== undefined) {
    const content = Buffer.from(hostileText(argument.subarray(width).toString(), dice));
    const said = dice.chance(0.8) ? BigInt(content.length) : hostileInteger(BigInt(content.length), dice);
    return Buffer.concat([integer(said, width), content]);
  }
  if (argument.length === 0) return argument;
  const value = argument.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return integer(hostileInteger(value, dice), argument.length);
}

function integer(value: bigint, bytes: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt.asUintN(64, value));
  return buffer.subarray(0, bytes);
}

function stepsOf(bytes: Buffer): Step[] | undefined {
  const steps: Step[] = [];
  for (let at = 0; at < bytes.length; ) {
    const opcode = bytes[at++]!;
    let length = FIXED[opcode] ?? 0;
    const width = TEXTS[opcode];
    if (opcode === GLOBAL) length = bytes.indexOf('\n', bytes.indexOf('\n', at) + 1) + 1 - at;
    if (width !== undefined) {
      if (at + width > bytes.length) return undefined;
      length = width + (width === 8 ? Number(bytes.readBigUInt64LE(at)) : bytes.readUIntLE(at, width));
    }
    if (!(length >= 0 && at + length <= bytes.length)) return undefined;
    steps.push({ opcode, argument: bytes.subarray(at, at + length) });
    at += length;
  }
  return steps.length === 0 ? undefined : steps;
}

function join(steps: readonly Step[]): Buffer {
  return Buffer.concat(steps.flatMap(({ opcode, argument }) => [Buffer.of(opcode), argument]));
}
