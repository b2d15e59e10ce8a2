import safetensors from 'safetensors';
import type { Dtype } from './dtype.ts';
import { decodeHeader, headerLength, LENGTH_BYTES, parseHeader } from './header.ts';
import { planSafetensors } from './writer.ts';

export interface MemoryTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** The stored bytes, little-endian. */
  readonly bytes: Uint8Array;
}

/**
 * Opens a small safetensors file that lies in memory. The package that cuts it checks nothing, cannot read
 * `__metadata__` and takes a view for its whole buffer; so it gets a file written anew from a checked header.
 */
export function openSmallSafetensors(content: Uint8Array, file: string): ReadonlyMap<string, MemoryTensor> {
  const length = headerLength(content, content.length, file);
  const dataStart = LENGTH_BYTES + length;
  const header = decodeHeader(content.subarray(LENGTH_BYTES, dataStart), file);
  const { tensors } = parseHeader(header, dataStart, content.length, file);
  const plan = planSafetensors([...tensors.values()]);
  const clean = new Uint8Array(plan.bytes);
  clean.set(plan.head);
  for (const { name, offset } of plan.tensors) {
    const stored = tensors.get(name)!;
    clean.set(content.subarray(stored.offset, stored.offset + stored.bytes), offset);
  }
  const opened = new safetensors.SafeTensor(clean);
  return new Map(
    [...tensors.values()].map(({ name, dtype, shape }) => [
      name,
      { dtype, shape, bytes: opened.getTensor(name) },
    ]),
  );
}
