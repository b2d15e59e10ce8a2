import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Turns } from '../../src/core/jobs/turns.ts';
import { openCompute } from '../../src/kernels/compute.ts';
import { addSecondMoments, listBytes } from '../../src/runtime/second-moments.ts';
import { gaussian, uniform } from '../support/builders/samples.ts';

/** Values of `tokens` rows, of which `share` are not zero. */
function values(columns: number, tokens: number, share: number): Float32Array {
  const [isLeft, next] = [uniform(tokens), gaussian(columns)];
  return Float32Array.from({ length: columns * tokens }, () => (isLeft() < share ? next() : 0));
}

describe('second moments of a batch', () => {
  for (const { columns, tokens, share, kernel } of [
    { columns: 1, tokens: 1, share: 1, kernel: 'secondMoments' },
    { columns: 77, tokens: 130, share: 1, kernel: 'secondMoments' },
    { columns: 130, tokens: 257, share: 0.5, kernel: 'secondMoments' },
    { columns: 201, tokens: 140, share: 0.1, kernel: 'sparseMoments' },
  ]) {
    it(`of ${columns} columns and ${tokens} tokens, ${100 * share} % not zero: by ${kernel}`, async (t) => {
      const x = values(columns, tokens, share);
      const added = async (threads: number) => {
        const bytes = 4 * columns * (columns + 1);
        const lists = listBytes(columns, tokens);
        const compute = await openCompute({ threads, bytes: x.byteLength + bytes + lists + 256 });
        const place = compute.alloc(x.byteLength);
        compute.floats(place, x.length).set(x);
        const moments = compute.alloc(bytes);
        compute.doubles(moments, bytes / 8).fill(1);
        const run = t.mock.method(compute, 'runInTurns');
        const batch = { x: place, tokenStride: columns, columns, tokens, weight: 3, moments };
        await addSecondMoments(compute, { ...batch, lists: compute.alloc(lists) }, new Turns(undefined));
        assert.equal(run.mock.calls.at(-1)!.arguments[0], kernel);
        const result = compute.doubles(moments, bytes / 8).slice();
        await compute.close();
        return result;
      };
      const result = await added(1);
      assert.deepEqual(await added(2), result);
      assert.deepEqual(await added(5), result);
      let at = 0;
      for (let i = 0; i < columns; i++) {
        for (let j = i; j < columns; j++, at++) {
          let [sum, size] = [0, 0];
          for (let row = 0; row < x.length; row += columns) {
            sum += x[row + i]! * x[row + j]!;
            size += Math.abs(x[row + i]! * x[row + j]!);
          }
          // f32 sums of at most 140 tokens.
          assert.ok(Math.abs(result[at]! - (1 + 3 * sum)) <= 3 * 140 * 2 ** -24 * size + 1e-12, `${i}, ${j}`);
        }
      }
    });
  }

  it('one full token among zeros has no place in the lists', async () => {
    const [columns, tokens] = [40, 20];
    const compute = await openCompute({ threads: 1, bytes: 2 ** 16 });
    const [x, moments] = [compute.alloc(4 * columns * tokens), compute.alloc(4 * columns * (columns + 1))];
    compute.floats(x + 4 * 3 * columns, columns).fill(2);
    const lists = compute.alloc(listBytes(columns, tokens));
    const batch = { x, tokenStride: columns, columns, tokens, weight: 1, moments, lists };
    await addSecondMoments(compute, batch, new Turns(undefined));
    assert.ok(compute.doubles(moments, (columns * (columns + 1)) / 2).every((value) => value === 4));
    await compute.close();
  });
});
