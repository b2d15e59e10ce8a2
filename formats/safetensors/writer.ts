import { DTYPE_BITS, type Dtype } from './dtype.ts';
import { LENGTH_BYTES, type TensorEntry } from './header.ts';

/** The crate pads the header so that the data, largest elements first, is aligned to any element. */
const ALIGNMENT = 8;

export interface SafetensorsPlan {
  /** Length and header: the first bytes of the file. */
  readonly head: Uint8Array;
  /** In the order of their bytes, which follow `head` without a gap. */
  readonly tensors: readonly TensorEntry[];
  /** Size of the file. */
  readonly bytes: number;
}

/**
 * Lays out a safetensors file as the crate does: tensors by element size descending, then by name. The caller
 * writes `head` and every tensor at its offset. The same tensors give the same bytes whatever their order.
 */
export function planSafetensors(
  tensors: readonly Pick<TensorEntry, 'name' | 'dtype' | 'shape'>[],
  metadata: Readonly<Record<string, string>> = {},
): SafetensorsPlan {
  const sorted = tensors.toSorted(
    (a, b) => DTYPE_BITS[b.dtype] - DTYPE_BITS[a.dtype] || (a.name < b.name ? -1 : 1),
  );
  let end = 0;
  const ranges = sorted.map(({ name, dtype, shape }) => {
    const begin = end;
    end += tensorBytes(dtype, shape);
    return { name, dtype, shape, data_offsets: [begin, end] as const };
  });
  const head = encodeHead([
    ...(Object.keys(metadata).length > 0 ? ([['__metadata__', metadata]] as const) : []),
    ...ranges.map(({ name, ...entry }) => [name, entry] as const),
  ]);
  return {
    head,
    tensors: ranges.map(({ name, dtype, shape, data_offsets: [begin, until] }) => {
      return { name, dtype, shape, offset: head.length + begin, bytes: until - begin };
    }),
    bytes: head.length + end,
  };
}

function tensorBytes(dtype: Dtype, shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, DTYPE_BITS[dtype]) / 8;
}

function encodeHead(members: readonly (readonly [string, unknown])[]): Uint8Array {
  // Spelled member by member, since an object would move names that look like numbers to the front.
  const json = members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',');
  const header = new TextEncoder().encode(`{${json}}`);
  const padded = Math.ceil(header.length / ALIGNMENT) * ALIGNMENT;
  const head = new Uint8Array(LENGTH_BYTES + padded).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(header, LENGTH_BYTES);
  return head;
}
