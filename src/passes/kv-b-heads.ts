import type { PlmConfig } from '../core/config.ts';
import { SCHEMES } from '../core/scheme.ts';
import { roundedScheme, rowBytes, type Tensor } from '../core/tensor.ts';
import { codecOf } from '../schemes/index.ts';

/**
 * k_b_proj [heads, kv_lora_rank, nope]: of every head's rows of kv_b_proj the nope rows, transposed. Floats keep
 * their scheme; blocks, which lie along rows, are decoded to F32. Rows are read by heads, and whole heads of
 * kv_b_proj with them, so that a file is still read front to back.
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
  codecOf(scheme).decode(stored, 0, values, 0, count);
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
