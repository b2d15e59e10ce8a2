import { columnCount, type Tensor } from '../../core/tensor.ts';
import { decodedRows } from './float-rows.ts';

/** The squared length of every column, read once front to back. */
export async function columnSquares(tensor: Tensor, signal?: AbortSignal): Promise<Float64Array> {
  const squares = new Float64Array(columnCount(tensor));
  for await (const { values } of decodedRows(tensor, undefined, signal)) {
    for (let i = 0; i < values.length; i++) squares[i]! += values[i]! * values[i]!;
  }
  return squares;
}
