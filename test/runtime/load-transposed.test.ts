import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type SchemeName, schemeBytes, transposedScheme } from '../../src/core/scheme.ts';
import { SharedViews } from '../../src/kernels/memory.ts';
import { loadTransposed } from '../../src/runtime/load-transposed.ts';
import { decoderOf } from '../../src/schemes/index.ts';
import { memoryTensor, tensorValues } from '../support/builders/memory-model.ts';
import { floats, gaussian } from '../support/builders/samples.ts';

/** Several parts of 4 MiB, the last one short, in every scheme. */
const [ROWS, COLUMNS] = [85, 65_536];

describe('a matrix is brought transposed', () => {
  const values = floats(ROWS * COLUMNS, gaussian(1));
  for (const [scheme, held] of [
    ['F32', 'F32'],
    ['F16', 'F16'],
    ['BF16', 'BF16'],
    ['Q8_0', 'F32'],
  ] as const satisfies readonly (readonly [SchemeName, SchemeName])[]) {
    it(`${scheme} as ${held}`, async () => {
      assert.equal(transposedScheme(scheme), held);
      const tensor = memoryTensor('down', [ROWS, COLUMNS], values, scheme);
      const bytes = schemeBytes(held, ROWS * COLUMNS);
      const views = new SharedViews(new SharedArrayBuffer(64 + bytes));
      await loadTransposed(views, tensor, 64, undefined);
      const [expected, turned] = [await tensorValues(tensor), new Float32Array(ROWS * COLUMNS)];
      decoderOf(held)(views.bytes(64, bytes), 0, turned, 0, turned.length);
      for (const [i, value] of expected.entries()) {
        const [r, c] = [Math.floor(i / COLUMNS), i % COLUMNS];
        if (turned[c * ROWS + r] !== value) assert.fail(`row ${r}, column ${c}`);
      }
    });
  }
});
