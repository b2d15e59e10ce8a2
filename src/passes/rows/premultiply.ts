import type { PlmConfig } from '../../core/config.ts';
import { columnCount, roundedScheme, type Tensor } from '../../core/tensor.ts';
import { readFloatRows } from './float-rows.ts';

/**
 * F32 [heads * (kv_lora_rank + rope), columns]: of every head of `query` [heads * (nope + rope), columns] the
 * nope rows, multiplied from the left with its W_UK^T in `kB` [heads, kv_lora_rank, nope], then the rope rows
 * as they are. It is read by whole heads and holds one head of both beside the caller's memory.
 */
export function premultiplyQuery(query: Tensor, kB: Tensor, config: PlmConfig): Tensor {
  const { numAttentionHeads: heads, kvLoraRank, qkNopeHeadDim: nope, qkRopeHeadDim: rope } = config;
  const columns = columnCount(query);
  const headRows = kvLoraRank + rope;
  return {
    ...query,
    scheme: 'F32',
    roundedIn: roundedScheme(query) ?? roundedScheme(kB),
    shape: [heads * headRows, columns],
    rowStep: headRows,
    async readRows(range, into, signal) {
      const sums = new Float64Array(columns);
      for (let start = 0; start < range.count; start += headRows) {
        const head = (range.first + start) / headRows;
        const factors = await readFloatRows(kB, { first: head * kvLoraRank, count: kvLoraRank }, signal);
        const ofHead = { first: head * (nope + rope), count: nope + rope };
        const rows = await readFloatRows(query, ofHead, signal);
        for (let row = 0; row < kvLoraRank; row++) {
          multiplyRow(factors.subarray(row * nope, (row + 1) * nope), rows, sums);
          into.set(floatBytes(sums), 4 * columns * (start + row));
        }
        into.set(floatBytes(rows.subarray(nope * columns)), 4 * columns * (start + kvLoraRank));
      }
    },
  };
}

/**
 * F32 [hidden, heads * kv_lora_rank]: the columns of every head of `output` [hidden, heads * v], multiplied
 * from the right with its W_UV in `vB` [heads, v, kv_lora_rank]. Beside the caller's memory it holds the rows
 * of `output` that are read and W_UV of one head: all of `vB` is read for every range.
 */
export function premultiplyOutput(output: Tensor, vB: Tensor, config: PlmConfig): Tensor {
  const { numAttentionHeads: heads, kvLoraRank, hiddenSize, vHeadDim } = config;
  return {
    ...output,
    scheme: 'F32',
    roundedIn: roundedScheme(output) ?? roundedScheme(vB),
    shape: [hiddenSize, heads * kvLoraRank],
    async readRows(range, into, signal) {
      const rows = await readFloatRows(output, range, signal);
      const sums = new Float64Array(kvLoraRank);
      for (let head = 0; head < heads; head++) {
        const matrix = await readFloatRows(vB, { first: head * vHeadDim, count: vHeadDim }, signal);
        for (let row = 0; row < range.count; row++) {
          const at = row * heads + head;
          multiplyRow(rows.subarray(at * vHeadDim, (at + 1) * vHeadDim), matrix, sums);
          into.set(floatBytes(sums), 4 * kvLoraRank * at);
        }
      }
    },
  };
}

/** sums = x W, where W has a row of `sums.length` values for each of x. */
function multiplyRow(x: Float32Array, matrix: Float32Array, sums: Float64Array): void {
  const columns = sums.length;
  sums.fill(0);
  for (let i = 0; i < x.length; i++) {
    const factor = x[i]!;
    for (let c = 0; c < columns; c++) sums[c]! += factor * matrix[i * columns + c]!;
  }
}

/** The values, rounded to f32, as bytes of their own. */
function floatBytes(values: Float32Array | Float64Array): Uint8Array {
  return new Uint8Array(new Float32Array(values).buffer);
}
