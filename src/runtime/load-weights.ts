import type { Progress } from '../core/jobs/progress.ts';
import { byteLength, elementCount, rowBytes, rowRanges, type Tensor } from '../core/tensor.ts';
import type { Pointer, SharedViews } from '../kernels/memory.ts';
import { decoderOf } from '../schemes/index.ts';
import { loadTransposed } from './load-transposed.ts';
import type { Placement } from './weights.ts';

/** One read: large beside the cost of a call, small enough that a signal is heard soon. */
const READ_BYTES = 4 << 20;

/** Brings all weights to their places, reading each file once, front to back. */
export async function loadWeights(
  views: SharedViews,
  placements: readonly Placement[],
  signal: AbortSignal | undefined,
  progress: Progress | undefined,
): Promise<void> {
  const total = placements.reduce((sum, { tensor }) => sum + byteLength(tensor), 0);
  progress?.({ kind: 'phase', name: 'load weights', total, unit: 'bytes' });
  let done = 0;
  for (const { tensor, pointer, form } of inFileOrder(placements)) {
    signal?.throwIfAborted();
    await LOADERS[form](views, tensor, pointer, signal);
    done += byteLength(tensor);
    progress?.({ kind: 'advance', done, item: tensor.name });
  }
}

type Loader = (
  views: SharedViews,
  tensor: Tensor,
  pointer: Pointer,
  signal: AbortSignal | undefined,
) => Promise<void>;

const LOADERS: Readonly<Record<Placement['form'], Loader>> = {
  stored: loadStored,
  decoded: loadDecoded,
  transposed: loadTransposed,
};

function inFileOrder(placements: readonly Placement[]): Placement[] {
  return placements.toSorted(
    ({ tensor: { origin: a } }, { tensor: { origin: b } }) => a.file - b.file || a.offset - b.offset,
  );
}

async function loadStored(
  views: SharedViews,
  tensor: Tensor,
  pointer: Pointer,
  signal: AbortSignal | undefined,
): Promise<void> {
  const bytes = rowBytes(tensor);
  for (const range of rowRanges(tensor, READ_BYTES)) {
    const place = views.bytes(pointer + range.first * bytes, range.count * bytes);
    await tensor.readRows(range, place, signal);
  }
}

/** For vectors, which are one short row. */
async function loadDecoded(
  views: SharedViews,
  tensor: Tensor,
  pointer: Pointer,
  signal: AbortSignal | undefined,
): Promise<void> {
  const stored = new Uint8Array(byteLength(tensor));
  await tensor.readRows({ first: 0, count: 1 }, stored, signal);
  const count = elementCount(tensor);
  decoderOf(tensor.scheme)(stored, 0, views.floats(pointer, count), 0, count);
}
