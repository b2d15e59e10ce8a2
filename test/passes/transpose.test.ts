import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { rowBytes } from '../../src/core/tensor.ts';
import { transposed } from '../../src/passes/rows/transpose.ts';
import { memoryTensor, tensorValues } from '../support/builders/memory-model.ts';
import { floats, gaussian } from '../support/builders/samples.ts';

/** Several parts of 1 MiB to read, the last one short. */
const [ROWS, COLUMNS] = [700, 1056];

describe('a transposed tensor', () => {
  const values = floats(ROWS * COLUMNS, gaussian(1));
  for (const [scheme, turned] of [
    ['F32', 'F32'],
    ['F16', 'F16'],
    ['BF16', 'BF16'],
    ['Q4_0', 'F32'],
  ] as const) {
    it(`${scheme} is ${turned}, whole and in ranges`, async () => {
      const source = memoryTensor('w', [ROWS, COLUMNS], values, scheme);
      const tensor = transposed(source);
      assert.deepEqual([tensor.scheme, tensor.shape], [turned, [COLUMNS, ROWS]]);
      const [before, after] = [await tensorValues(source), await tensorValues(tensor)];
      for (const i of [0, 1, ROWS, 31 * ROWS + 699, after.length - 1, 500_001]) {
        assert.equal(after[i], before[(i % ROWS) * COLUMNS + Math.floor(i / ROWS)]);
      }
      const whole = new Uint8Array(COLUMNS * rowBytes(tensor));
      await tensor.readRows({ first: 0, count: COLUMNS }, whole);
      const part = new Uint8Array(77 * rowBytes(tensor));
      await tensor.readRows({ first: 45, count: 77 }, part);
      assert.deepEqual(part, whole.subarray(45 * rowBytes(tensor), 122 * rowBytes(tensor)));
      assert.deepEqual(await tensorValues(transposed(tensor)), before);
    });
  }
});
