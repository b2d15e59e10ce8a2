import { SCHEMES, type SchemeName, schemeBytes } from './scheme.ts';

/** A run of rows. A row is the last dimension of a tensor; a 1-D tensor is one row. */
export interface RowRange {
  readonly first: number;
  readonly count: number;
}

/** Where a tensor's bytes start. Reading tensors in this order reads each file once, front to back. */
export interface Origin {
  /** Index into `Model.files`. */
  readonly file: number;
  /** Byte offset in that file. */
  readonly offset: number;
}

/**
 * A lazy, immutable matrix. Everything but the bytes is known without I/O; the bytes come by rows into
 * memory that the caller owns, so that no tensor must fit in memory and no garbage outlives a chunk.
 */
export interface Tensor {
  /** Name in the Hugging Face checkpoint, e.g. `model.layers.0.self_attn.q_proj.weight`. */
  readonly name: string;
  readonly scheme: SchemeName;
  /** Of floats: the scheme of blocks that the values were rounded to before they were decoded, if any. */
  readonly roundedIn?: SchemeName | undefined;
  /** Row-major, outermost first: `[out_features, in_features]` or `[n]`. */
  readonly shape: readonly number[];
  readonly origin: Origin;
  /**
   * Ranges must start at a multiple of this many rows and, but for the last, hold a multiple of it.
   * 1 for stored tensors; larger where a pass reorders rows inside groups.
   */
  readonly rowStep: number;
  /**
   * Whether all blocks of a row have one scale, as in 8-bit ONNX graphs: a coarser grid than the scheme's
   * own.
   */
  readonly oneScalePerRow?: boolean;
  /** Fills `into` (exactly `range.count * rowBytes(this)` bytes) with stored blocks of these rows. */
  readRows(range: RowRange, into: Uint8Array, signal?: AbortSignal): Promise<void>;
}

/**
 * The scheme of blocks that the values of a tensor have been rounded to already, stored so or decoded since.
 */
export function roundedScheme({ scheme, roundedIn }: Tensor): SchemeName | undefined {
  return SCHEMES[scheme].blockSize > 1 ? scheme : roundedIn;
}

/** Shape and scheme, all that sizes depend on. */
export type Layout = Pick<Tensor, 'shape' | 'scheme'>;

export function columnCount(tensor: Pick<Tensor, 'shape'>): number {
  return tensor.shape.at(-1) ?? 1;
}

export function rowCount(tensor: Pick<Tensor, 'shape'>): number {
  return tensor.shape.slice(0, -1).reduce((product, n) => product * n, 1);
}

export function elementCount(tensor: Pick<Tensor, 'shape'>): number {
  return tensor.shape.reduce((product, n) => product * n, 1);
}

export function rowBytes(tensor: Layout): number {
  return schemeBytes(tensor.scheme, columnCount(tensor));
}

export function byteLength(tensor: Layout): number {
  return rowBytes(tensor) * rowCount(tensor);
}

/** Splits rows, all by default, into ranges of at most `budget` bytes (at least one row step each). */
export function* rowRanges(
  tensor: Tensor,
  budget: number,
  rows: RowRange = { first: 0, count: rowCount(tensor) },
): Generator<RowRange> {
  const stepBytes = Math.max(1, rowBytes(tensor) * tensor.rowStep);
  const count = Math.max(1, Math.floor(budget / stepBytes)) * tensor.rowStep;
  const end = rows.first + rows.count;
  for (let first = rows.first; first < end; first += count) {
    yield { first, count: Math.min(count, end - first) };
  }
}

/** One row as it is stored. */
export async function readRow(tensor: Tensor, row: number, signal?: AbortSignal): Promise<Uint8Array> {
  const { rowStep } = tensor;
  const first = row - (row % rowStep);
  const count = Math.min(rowStep, rowCount(tensor) - first);
  const bytes = rowBytes(tensor);
  const rows = new Uint8Array(count * bytes);
  await tensor.readRows({ first, count }, rows, signal);
  return rows.subarray((row - first) * bytes, (row - first + 1) * bytes);
}
