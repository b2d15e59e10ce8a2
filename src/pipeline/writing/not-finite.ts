import { invalidInput, type PressError } from '../../core/errors.ts';
import { type SchemeName, schemeBytes } from '../../core/scheme.ts';
import { columnCount } from '../../core/tensor.ts';
import { decoderOf } from '../../schemes/index.ts';
import type { Chunk } from './chunk.ts';
import type { Slot } from './slot.ts';

/**
 * Names the weight by which a row of the chunk is not finite, in the source already or only in the target.
 * `files` are `Model.files`.
 */
export function notFinite(
  chunk: Chunk,
  row: number,
  slot: Slot,
  files: readonly { readonly name: string }[],
): PressError {
  const { source, scheme } = chunk.tensor;
  const before = decodeRow(source.scheme, slot.source(chunk), row, columnCount(source));
  const after = decodeRow(scheme, slot.target(chunk), row, columnCount(source));
  const inSource = before.findIndex((value) => !Number.isFinite(value));
  const column = inSource >= 0 ? inSource : largestOverflow(before, after);
  const place = [chunk.range.first + row, column];
  if (chunk.tensor.transposed) place.reverse();
  const file = files[source.origin.file]?.name;
  return invalidInput({
    ...(file !== undefined && { file }),
    field: `tensor "${source.name}"`,
    what: `weight [${place.join(', ')}] ${inSource >= 0 ? 'is not finite' : `overflows in ${scheme}`}`,
    got: before[column]!,
  });
}

/** A block's scale overflows by its largest weight and spoils the others. */
function largestOverflow(before: Float32Array, after: Float32Array): number {
  return before.reduce((most, value, column) => {
    if (Number.isFinite(after[column]!)) return most;
    return most < 0 || Math.abs(value) > Math.abs(before[most]!) ? column : most;
  }, -1);
}

function decodeRow(scheme: SchemeName, rows: Uint8Array, row: number, columns: number): Float32Array {
  const values = new Float32Array(columns);
  decoderOf(scheme)(rows, row * schemeBytes(scheme, columns), values, 0, columns);
  return values;
}
