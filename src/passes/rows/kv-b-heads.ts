import type { PlmConfig } from '../../core/config.ts';
import { SCHEMES, type SchemeName } from '../../core/scheme.ts';
import { columnCount, type RowRange, roundedScheme, rowBytes, type Tensor } from '../../core/tensor.ts';
import { decoderOf } from '../../schemes/index.ts';

/**
 * k_b_proj [heads, kv_lora_rank, nope]: of every head's rows of kv_b_proj the nope rows, transposed. Floats
 * keep their scheme; blocks, which lie along rows, are decoded to F32. Rows are read by heads, and whole
 * heads of kv_b_proj with them, so that a file is still read front to back.
 */
export function transposedKeyRows(kvB: Tensor, name: string, config: PlmConfig): Tensor {
  const { numAttentionHeads, kvLoraRank, qkNopeHeadDim } = config;
  const isFloat = SCHEMES[kvB.scheme].blockSize === 1;
  const scheme = isFloat ? kvB.scheme : 'F32';
  const elementBytes = SCHEMES[scheme].blockBytes;
  return {
    name,
    scheme,
    roundedIn: roundedScheme(kvB),
    shape: [numAttentionHeads, kvLoraRank, qkNopeHeadDim],
    origin: kvB.origin,
    rowStep: kvLoraRank,
    async readRows(range, into, signal) {
      const headBytes = kvLoraRank * qkNopeHeadDim * elementBytes;
      const head = new Uint8Array(rowsOfHead(config) * rowBytes(kvB));
      for (let read = 0; read < range.count / kvLoraRank; read++) {
        await readHead(kvB, config, range.first / kvLoraRank + read, head, signal);
        const rows = isFloat ? head : decoded(kvB, head, qkNopeHeadDim * kvLoraRank);
        const target = into.subarray(read * headBytes, (read + 1) * headBytes);
        transpose(rows, target, { rows: qkNopeHeadDim, columns: kvLoraRank, elementBytes });
      }
    },
  };
}

/** v_b_proj [heads, v, kv_lora_rank]: of every head's rows of kv_b_proj the v rows, as they are stored. */
export function valueRows(kvB: Tensor, name: string, config: PlmConfig): Tensor {
  const { numAttentionHeads, kvLoraRank, qkNopeHeadDim, vHeadDim } = config;
  const bytes = rowBytes(kvB);
  return {
    name,
    scheme: kvB.scheme,
    roundedIn: kvB.roundedIn,
    shape: [numAttentionHeads, vHeadDim, kvLoraRank],
    origin: kvB.origin,
    rowStep: vHeadDim,
    async readRows(range, into, signal) {
      const head = new Uint8Array(rowsOfHead(config) * bytes);
      for (let read = 0; read < range.count / vHeadDim; read++) {
        await readHead(kvB, config, range.first / vHeadDim + read, head, signal);
        into.set(head.subarray(qkNopeHeadDim * bytes), read * vHeadDim * bytes);
      }
    },
  };
}

/**
 * kv_b_proj [heads * (nope + v), kv_lora_rank] of its parts, the inverse of the two above. Floats of one
 * scheme keep it; all else is decoded to F32, for blocks of k_b_proj run across rows of kv_b_proj. Read by
 * whole heads, of which one of each part is held beside the caller's memory.
 */
export function joinedRows(kB: Tensor, vB: Tensor, name: string, config: PlmConfig): Tensor {
  const { numAttentionHeads, kvLoraRank, qkNopeHeadDim, vHeadDim } = config;
  const scheme = kB.scheme === vB.scheme && SCHEMES[kB.scheme].blockSize === 1 ? kB.scheme : 'F32';
  const elementBytes = SCHEMES[scheme].blockBytes;
  const rows = rowsOfHead(config);
  return {
    name,
    scheme,
    roundedIn: roundedScheme(kB) ?? roundedScheme(vB),
    shape: [numAttentionHeads * rows, kvLoraRank],
    origin: kB.origin,
    rowStep: rows,
    async readRows(range, into, signal) {
      for (let read = 0; read < range.count / rows; read++) {
        const head = range.first / rows + read;
        const [keys, values] = [
          await rowsIn(scheme, kB, { first: head * kvLoraRank, count: kvLoraRank }, signal),
          await rowsIn(scheme, vB, { first: head * vHeadDim, count: vHeadDim }, signal),
        ];
        const target = into.subarray(read * rows * kvLoraRank * elementBytes);
        transpose(keys, target, { rows: kvLoraRank, columns: qkNopeHeadDim, elementBytes });
        target.set(values, keys.length);
      }
    },
  };
}

/** Rows in their own scheme, or decoded to F32. */
async function rowsIn(
  scheme: SchemeName,
  tensor: Tensor,
  range: RowRange,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const stored = new Uint8Array(range.count * rowBytes(tensor));
  await tensor.readRows(range, stored, signal);
  return scheme === tensor.scheme ? stored : decoded(tensor, stored, range.count * columnCount(tensor));
}

/** Nope rows, then v rows. */
function rowsOfHead({ qkNopeHeadDim, vHeadDim }: PlmConfig): number {
  return qkNopeHeadDim + vHeadDim;
}

function readHead(
  kvB: Tensor,
  config: PlmConfig,
  head: number,
  into: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  const count = rowsOfHead(config);
  return kvB.readRows({ first: head * count, count }, into, signal);
}

function decoded({ scheme }: Tensor, stored: Uint8Array, count: number): Uint8Array {
  const values = new Float32Array(count);
  decoderOf(scheme)(stored, 0, values, 0, count);
  return new Uint8Array(values.buffer);
}

interface MatrixSize {
  readonly rows: number;
  readonly columns: number;
  /** 2 or 4. */
  readonly elementBytes: number;
}

function transpose(
  source: Uint8Array,
  target: Uint8Array,
  { rows, columns, elementBytes }: MatrixSize,
): void {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const from = (row * columns + column) * elementBytes;
      const to = (column * rows + row) * elementBytes;
      for (let byte = 0; byte < elementBytes; byte++) target[to + byte] = source[from + byte]!;
    }
  }
}
