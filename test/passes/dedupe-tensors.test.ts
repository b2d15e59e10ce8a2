import assert from 'node:assert/strict';
import test from 'node:test';
import { parsePassRequest, runPass } from '../../src/passes/run.ts';
import { SMALL_PLM } from '../support/builders/hollow-model.ts';
import { memoryModel, storedTensor, withTensors } from '../support/builders/memory-model.ts';

test('matrices of the same bytes in different schemes are not the same', async () => {
  const [first, second] = [0, 1].map((layer) => `model.layers.${layer}.mlp.up_proj.weight`);
  const shape = [512, 256];
  const bytes = Uint8Array.from({ length: 2 * 512 * 256 }, (_, i) => (i * i) % 61);
  const [half, brain] = [
    storedTensor(first!, shape, bytes, 'F16'),
    storedTensor(second!, shape, bytes, 'BF16'),
  ];
  const model = withTensors(memoryModel(SMALL_PLM), half, brain);
  assert.deepEqual((await runPass(model, parsePassRequest('dedupe-tensors'))).changes, []);
  const twin = withTensors(model, { ...half, name: second! });
  const { changes } = await runPass(twin, parsePassRequest('dedupe-tensors'));
  assert.deepEqual(
    changes.map(({ subject }) => subject),
    [second],
  );
});
