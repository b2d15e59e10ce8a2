import { DTYPE_BITS, type Dtype, isDtype } from '../../../formats/safetensors/dtype.ts';
import type { Dice } from '../../support/builders/dice.ts';
import type { Mutation } from '../target.ts';
import { mutateTree } from './json.ts';
import { parseTree, printTree } from './json-tree.ts';
import { hostileInteger } from './numbers.ts';

/** Changes the header of a safetensors file, its length or its data, and may let offsets follow. */
export function mutateSafetensors(bytes: Uint8Array, dice: Dice): Mutation | undefined {
  const file = Buffer.from(bytes);
  const length = file.length >= 8 ? Number(file.readBigUInt64LE(0)) : 0;
  if (length === 0 || 8 + length > file.length) return undefined;
  let header = file.subarray(8, 8 + length).toString();
  let data: Buffer = file.subarray(8 + length);
  let change: string;
  if (dice.chance(0.1)) {
    const end = dice.below(data.length + 1);
    data = dice.chance(0.5) ? data.subarray(0, end) : Buffer.concat([data, Buffer.alloc(1 + dice.below(64))]);
    change = `data of ${data.length} bytes`;
  } else {
    try {
      const mutated = mutateTree(parseTree(header), dice);
      header = printTree(mutated.tree);
      change = mutated.change;
      if (dice.chance(0.4)) {
        ({ header, data } = laidOut(header, data));
        change += ', offsets following';
      }
    } catch {
      return undefined;
    }
  }
  const prefix = Buffer.alloc(8);
  const said = BigInt(Buffer.byteLength(header));
  const lies = dice.chance(0.05);
  prefix.writeBigUInt64LE(BigInt.asUintN(64, lies ? hostileInteger(said, dice) : said));
  return {
    bytes: Buffer.concat([prefix, Buffer.from(header), data]),
    change: lies ? `${change}, and the length of the header lies` : change,
  };
}

const MAX_DATA = 1 << 20;

/**
 * The header with offsets that fit shapes, and as much data as they take. Throws for headers that are no
 * JSON.
 */
function laidOut(header: string, data: Buffer): { header: string; data: Buffer } {
  const entries = JSON.parse(header) as Record<
    string,
    { dtype: Dtype; shape: number[]; data_offsets: number[] }
  >;
  let end = 0;
  for (const [name, entry] of Object.entries(entries)) {
    if (name === '__metadata__' || typeof entry?.dtype !== 'string' || !Array.isArray(entry.shape)) continue;
    if (!isDtype(entry.dtype)) continue;
    const bytes = entry.shape.reduce((product, n) => product * n, DTYPE_BITS[entry.dtype]) / 8;
    entry.data_offsets = [end, end + bytes];
    end += bytes;
  }
  if (!(end >= 0 && end <= MAX_DATA)) return { header, data };
  const fitting = Buffer.alloc(Math.ceil(end), 0x3c);
  data.copy(fitting);
  return { header: JSON.stringify(entries), data: fitting };
}
