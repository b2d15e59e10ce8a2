import assert from 'node:assert/strict';
import { it } from 'node:test';
import { readRow, type Tensor } from '../../src/core/tensor.ts';
import { memoryTensor } from '../support/builders/memory-tensor.ts';

const ROWS = 10;
const ROW_STEP = 4;

it('a row comes out of whole groups of rows, the last of which may be short', async () => {
  const values = Float32Array.from({ length: 2 * ROWS }, (_, index) => index);
  const tensor = inGroups(memoryTensor(values, { scheme: 'F32', shape: [ROWS, 2] }));
  for (let row = 0; row < ROWS; row++) {
    const stored = await readRow(tensor, row);
    assert.deepEqual([...new Float32Array(stored.slice().buffer)], [2 * row, 2 * row + 1], `row ${row}`);
  }
});

/** A tensor that gives only what `rowStep` allows. */
function inGroups(tensor: Tensor): Tensor {
  return {
    ...tensor,
    rowStep: ROW_STEP,
    readRows(range, into, signal) {
      assert.equal(range.first % ROW_STEP, 0);
      assert.ok(range.count % ROW_STEP === 0 || range.first + range.count === ROWS);
      return tensor.readRows(range, into, signal);
    },
  };
}
