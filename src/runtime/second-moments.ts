import type { Turns } from '../core/jobs/turns.ts';
import type { Compute, Pointer } from '../kernels/compute.ts';
import type { Job } from '../kernels/jobs.ts';
import { LISTED_SHARE } from '../kernels/tiles.ts';

/**
 * Where fewer values than this part of them are not zero, their products are taken one by one; above it, four at
 * a time are faster, zeros among them.
 */
const SPARSE_SHARE = 0.15;

export interface MomentBatch extends Job<'secondMoments'> {
  /** Room for `listBytes`. */
  readonly lists: Pointer;
}

/** Bytes of the lists of non-zeros of a batch. */
export function listBytes(columns: number, tokens: number): number {
  return tokens * listStride(columns);
}

function listStride(columns: number): number {
  return 8 + 8 * Math.ceil(LISTED_SHARE * columns);
}

/**
 * Adds the products of all tokens of a batch to `moments`, as the kernel `secondMoments` says. Sums of mostly
 * zeros are taken over the non-zeros alone, and cost a share of the others. How they are taken, and with it
 * their last bits, depends on the values of the batch alone, not on threads. The longer the batch, the less
 * often sums pass through memory, which is what sparse batches wait for: 512 tokens are worth it.
 */
export async function addSecondMoments(
  compute: Compute,
  { lists, ...job }: MomentBatch,
  turns: Turns,
): Promise<void> {
  const { x, tokenStride, columns, tokens, weight, moments } = job;
  const stride = listStride(columns);
  const room = (stride - 8) / 8;
  await compute.runInTurns(
    'listNonzeros',
    { x, tokenStride, columns, tokens, lists, listStride: stride },
    turns,
  );
  let [total, most] = [0, 0];
  for (let t = 0; t < tokens; t++) {
    const found = compute.ints(lists + t * stride, 1)[0]!;
    total += found;
    most = Math.max(most, found);
  }
  if (most <= room && total < SPARSE_SHARE * columns * tokens) {
    const sparse = { lists, listStride: stride, columns, tokens, weight, moments };
    await compute.runInTurns('sparseMoments', sparse, turns);
  } else {
    await compute.runInTurns('secondMoments', job, turns);
  }
}
