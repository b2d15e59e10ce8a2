import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { rowBytes, rowCount } from '../../../src/core/tensor.ts';
import { type SharedTensor, tensorsOf } from '../../../src/pipeline/parts/share.ts';
import { planTarget, planTargets } from '../../../src/pipeline/planning/target.ts';
import { memoryModel } from '../../support/builders/memory-model.ts';
import { BLOCKS_OF_32 } from '../../support/builders/random-checkpoint.ts';
import { tinyPlm } from '../../support/builders/tiny-checkpoint.ts';

const bytesToRead = (tensors: readonly SharedTensor[]) =>
  tensors.reduce((sum, { tensor: { source, rows } }) => {
    return sum + rowBytes(source) * (rows?.count ?? rowCount(source));
  }, 0);

describe('shares of a conversion', () => {
  const model = memoryModel(tinyPlm({ ...BLOCKS_OF_32, num_hidden_layers: 5 }));

  it('hold every tensor once, neighbours together', async () => {
    const targets = await planTargets(model, ['gguf:q8_0', 'onnx:q4', 'webgpu:q4'], { shardSize: 300_000 });
    const [all] = [tensorsOf(targets, { number: 1, of: 1 })];
    assert.equal(
      all.length,
      targets.flatMap(({ plan }) => plan.files.flatMap(({ tensors }) => tensors)).length,
    );
    await fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 * all.length }), (of) => {
        const shares = Array.from({ length: of }, (_, index) =>
          tensorsOf(targets, { number: index + 1, of }),
        );
        assert.deepEqual(
          shares.flat().map(({ tensor, file }) => [tensor.name, file]),
          all.map(({ tensor, file }) => [tensor.name, file]),
        );
        for (const share of shares) {
          let end = 0;
          for (const { offset, bytes } of share) {
            assert.equal(offset, end);
            end += bytes;
          }
        }
      }),
      { numRuns: 40, seed: 1 },
    );
  });

  it('differ by no more than their largest tensors', async () => {
    const targets = [await planTarget(model, 'gguf:q8_0')];
    const all = tensorsOf(targets, { number: 1, of: 1 });
    const largest = Math.max(...all.map((tensor) => bytesToRead([tensor])));
    for (const of of [2, 3, 4, 7]) {
      for (let number = 1; number <= of; number++) {
        const bytes = bytesToRead(tensorsOf(targets, { number, of }));
        assert.ok(Math.abs(bytes - bytesToRead(all) / of) <= largest, `${number}/${of}: ${bytes}`);
      }
    }
  });
});
