import { unsupported } from '../../core/errors.ts';
import { schemeBytes, schemeOfGgmlType } from '../../core/scheme.ts';
import { type Codec, codecOf } from '../../schemes/index.ts';
import type { Pointer, SharedViews } from '../memory.ts';
import { ROW_TILE } from '../tiles.ts';

/** The codec of a ggml type number. */
export function codecOfType(ggmlType: number): Codec {
  const scheme = schemeOfGgmlType(ggmlType);
  const codec = scheme && codecOf(scheme);
  if (codec === undefined) throw unsupported({ what: 'no codec for ggml type', got: scheme ?? ggmlType });
  return codec;
}

/** Decodes a stored row of `target.length` columns. */
export function decodeRow(
  views: SharedViews,
  ggmlType: number,
  pointer: Pointer,
  target: Float32Array,
): Float32Array {
  const codec = codecOfType(ggmlType);
  const source = views.bytes(pointer, schemeBytes(codec.scheme, target.length));
  codec.decode(source, 0, target, 0, target.length);
  return target;
}

/** Decodes up to ROW_TILE consecutive rows side by side into the scratch area. */
export function decodeTile(
  views: SharedViews,
  scratch: Pointer,
  job: { readonly scheme: number; readonly rowBytes: number; readonly columns: number },
  pointer: Pointer,
  rows: number,
): Float32Array[] {
  return Array.from({ length: Math.min(rows, ROW_TILE) }, (_, row) => {
    const target = views.floats(scratch + 4 * row * job.columns, job.columns);
    return decodeRow(views, job.scheme, pointer + row * job.rowBytes, target);
  });
}
