import {
  columnCount,
  type RowRange,
  roundedScheme,
  rowBytes,
  rowCount,
  type Tensor,
} from '../../core/tensor.ts';
import { decoderOf } from '../../schemes/index.ts';

/** Enough to hide the cost of a read, and too little to count as memory. */
const READ_BYTES = 256 << 10;

/** Rewrites the values of a group of rows, whose first is row `first` of the tensor, in place. */
export type RowRewrite = (values: Float32Array, first: number) => void;

/**
 * A tensor of F32 whose rows are those of `source`, decoded and rewritten when they are read, in groups of
 * `groupRows` rows. `prepare` runs once, before the first read. Rounding to another scheme is left to the
 * exporter, which knows the one that is wanted. Beside the caller's memory it holds `READ_BYTES` of stored
 * rows, one row step at least.
 */
export function rewriteRows(
  source: Tensor,
  prepare: (signal?: AbortSignal) => Promise<RowRewrite>,
  groupRows = 1,
): Tensor {
  const columns = columnCount(source);
  const stored = rowBytes(source);
  const decode = decoderOf(source.scheme);
  let rewrite: Promise<RowRewrite> | undefined;
  return {
    ...source,
    scheme: 'F32',
    roundedIn: roundedScheme(source),
    rowStep: leastCommonMultiple(source.rowStep, groupRows),
    async readRows(range, into, signal) {
      rewrite ??= prepare(signal);
      const change = await rewrite;
      const unit = leastCommonMultiple(source.rowStep, groupRows);
      const step = Math.max(1, Math.floor(READ_BYTES / stored / unit)) * unit;
      const bytes = new Uint8Array(Math.min(step, range.count) * stored);
      const group = new Float32Array(groupRows * columns);
      for (let start = 0; start < range.count; start += step) {
        const count = Math.min(step, range.count - start);
        const first = range.first + start;
        await source.readRows({ first, count }, bytes.subarray(0, count * stored), signal);
        for (let row = 0; row < count; row += groupRows) {
          decode(bytes, row * stored, group, 0, group.length);
          change(group, first + row);
          into.set(new Uint8Array(group.buffer), 4 * columns * (start + row));
        }
      }
    },
  };
}

/** Makes a row of other columns: fills `into` from the decoded row `values`, number `index` of the tensor. */
export type RowProjection = (values: Float32Array, into: Float32Array, index: number) => void;

/**
 * A tensor of F32 with `columns` columns, each of whose rows is made of one row of `source`; see
 * `rewriteRows`.
 */
export function projectRows(
  source: Tensor,
  columns: number,
  prepare: (signal?: AbortSignal) => Promise<RowProjection>,
): Tensor {
  return {
    ...source,
    scheme: 'F32',
    roundedIn: roundedScheme(source),
    shape: [...source.shape.slice(0, -1), columns],
    async readRows(range, into, signal) {
      const project = await prepare(signal);
      const row = new Float32Array(columns);
      for await (const { values, index } of decodedRows(source, range, signal)) {
        project(values, row, index);
        into.set(new Uint8Array(row.buffer), 4 * columns * (index - range.first));
      }
    },
  };
}

/**
 * Decoded rows one by one, each until the next is asked for. Holds `READ_BYTES` of stored rows, one row step
 * at least.
 */
export async function* decodedRows(
  source: Tensor,
  range: RowRange = { first: 0, count: rowCount(source) },
  signal?: AbortSignal,
): AsyncGenerator<{ readonly values: Float32Array; readonly index: number }> {
  const stored = rowBytes(source);
  const decode = decoderOf(source.scheme);
  const step = Math.max(1, Math.floor(READ_BYTES / stored / source.rowStep)) * source.rowStep;
  const bytes = new Uint8Array(Math.min(step, range.count) * stored);
  const values = new Float32Array(columnCount(source));
  for (let start = 0; start < range.count; start += step) {
    const count = Math.min(step, range.count - start);
    await source.readRows({ first: range.first + start, count }, bytes.subarray(0, count * stored), signal);
    for (let row = 0; row < count; row++) {
      decode(bytes, row * stored, values, 0, values.length);
      yield { values, index: range.first + start + row };
    }
  }
}

/** A tensor of F32 that is `value` everywhere, in the place of `source`. */
export function constantLike(source: Tensor, value: number): Tensor {
  return {
    ...source,
    scheme: 'F32',
    roundedIn: undefined,
    readRows(range, into) {
      const values = new Float32Array(range.count * columnCount(source)).fill(value);
      into.set(new Uint8Array(values.buffer));
      return Promise.resolve();
    },
  };
}

/** All values of a small tensor, such as a norm, as floats. */
export function readFloats(tensor: Tensor, signal?: AbortSignal): Promise<Float32Array> {
  return readFloatRows(tensor, { first: 0, count: rowCount(tensor) }, signal);
}

/** Values of some rows as floats, held beside the rows as they are stored. */
export async function readFloatRows(
  tensor: Tensor,
  range: RowRange,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const stored = new Uint8Array(range.count * rowBytes(tensor));
  await tensor.readRows(range, stored, signal);
  const values = new Float32Array(range.count * columnCount(tensor));
  decoderOf(tensor.scheme)(stored, 0, values, 0, values.length);
  return values;
}

export function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
