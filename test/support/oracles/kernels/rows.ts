import { type SchemeName, schemeBytes, schemeOfGgmlType } from '../../../../src/core/scheme.ts';
import type { Pointer, SharedViews } from '../../../../src/kernels/memory.ts';
import { ROW_TILE } from '../../../../src/kernels/tiles.ts';
import { decoderOf } from '../../../../src/schemes/index.ts';

/** The scheme of a ggml type number. */
export function schemeOf(ggmlType: number): SchemeName {
  const scheme = schemeOfGgmlType(ggmlType);
  if (scheme === undefined) throw new Error(`no scheme of ggml type ${ggmlType}`);
  return scheme;
}

/** Decodes a stored row of `target.length` columns. */
export function decodeRow(
  views: SharedViews,
  ggmlType: number,
  pointer: Pointer,
  target: Float32Array,
): Float32Array {
  const scheme = schemeOf(ggmlType);
  const source = views.bytes(pointer, schemeBytes(scheme, target.length));
  decoderOf(scheme)(source, 0, target, 0, target.length);
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
