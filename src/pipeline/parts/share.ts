import { type PlannedTensor, plannedRows } from '../../core/export-plan.ts';
import type { JsonField } from '../../core/json/json-field.ts';
import { rowBytes } from '../../core/tensor.ts';
import type { Target } from '../planning/planned-target.ts';
import { encodedRowBytes, inReadingOrder } from '../writing/tensor-sink.ts';

/** As many files as a folder may well have. */
export const MAX_PARTS = 10_000;

/** Share `number` of `of` of a conversion, from 1 on. */
export interface Share {
  readonly number: number;
  readonly of: number;
}

export function readShare(field: JsonField): Share {
  const of = field.at('of').integer(1, MAX_PARTS);
  return { number: field.at('number').integer(1, of), of };
}

/** A tensor of a share. */
export interface SharedTensor {
  readonly tensor: PlannedTensor;
  /** Name in the plan of the file that it belongs to. */
  readonly file: string;
  /** Bytes of its encoded rows, and where among those of the share they begin. */
  readonly bytes: number;
  readonly offset: number;
}

/**
 * The tensors of a share, in the order of the sources: neighbours, of about as many bytes to read as those of
 * every other share. Tensors stay whole, because the sums in their errors depend on the order of rows. A
 * share has none where there are more shares than tensors.
 */
export function tensorsOf(targets: readonly Target[], { number, of }: Share): SharedTensor[] {
  const placed = targets.flatMap(({ plan }) =>
    plan.files.flatMap(({ name, tensors }) => tensors.map((tensor) => ({ tensor, file: name }))),
  );
  const total = placed.reduce((sum, { tensor }) => sum + sourceBytes(tensor), 0);
  const shared: SharedTensor[] = [];
  let [before, offset] = [0, 0];
  for (const { tensor, file } of inReadingOrder(placed)) {
    const middle = before + sourceBytes(tensor) / 2;
    before += sourceBytes(tensor);
    if (Math.floor((of * middle) / total) !== number - 1) continue;
    const bytes = encodedRowBytes(tensor) * plannedRows(tensor).count;
    shared.push({ tensor, file, bytes, offset });
    offset += bytes;
  }
  return shared;
}

function sourceBytes(tensor: PlannedTensor): number {
  return rowBytes(tensor.source) * plannedRows(tensor).count;
}

/** Bytes of the encoded rows of a share. */
export function payloadBytes(tensors: readonly SharedTensor[]): number {
  return tensors.reduce((sum, { bytes }) => sum + bytes, 0);
}
