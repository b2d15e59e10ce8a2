import { invalidInput, type PressError, unsupported } from '../core/errors.ts';
import type { LoraAdapter, LoraPair } from '../core/lora.ts';
import type { Change, Model } from '../core/model.ts';
import { columnCount, rowCount, type Tensor } from '../core/tensor.ts';
import { readFloats, rewriteRows } from './float-rows.ts';
import { withChanges } from './pass.ts';

const NAME = 'merge-lora';

/**
 * Adds an adapter to the matrices that it was trained on: W + scale B A. Unlike the other passes it changes what the
 * model computes. The adapter's files become files of the model, which closes them.
 * @throws PressError unsupported where the model has no matrix of that name, invalid-input where shapes do not fit.
 */
export function mergeLora(model: Model, adapter: LoraAdapter): Model {
  const tensors = new Map(model.tensors);
  const changes: Change[] = [];
  for (const [name, pair] of adapter.pairs) {
    const tensor = model.tensors.get(name);
    if (tensor === undefined || tensor.shape.length !== 2) throw unknownTarget(adapter, name);
    assertFits(adapter, tensor, pair);
    tensors.set(name, addLowRank(tensor, pair));
    const rank = rowCount(pair.a);
    changes.push({
      ...{ pass: NAME, subject: name, from: 'W', to: `W + ${pair.scale} B A, rank ${rank}` },
      reason: `adapter ${adapter.name}`,
    });
  }
  const merged = withChanges(model, changes, { tensors });
  return { ...merged, files: [...model.files, ...adapter.files] };
}

function unknownTarget({ name }: LoraAdapter, target: string): PressError {
  return unsupported({ file: name, field: `adapter of ${target}`, what: 'the model has no such matrix' });
}

function assertFits({ name }: LoraAdapter, tensor: Tensor, { a, b }: LoraPair): void {
  const [got, expected] = [
    [rowCount(b), columnCount(a)],
    [rowCount(tensor), columnCount(tensor)],
  ];
  if (got.join() === expected.join()) return;
  throw invalidInput({
    ...{ file: name, field: `adapter of ${tensor.name}`, what: 'shape of B A', got },
    expected: `[${expected.join(', ')}]`,
  });
}

/** A and B are held in memory: they are thin. Sums are taken in f64. */
function addLowRank(tensor: Tensor, { a, b, scale }: LoraPair): Tensor {
  return rewriteRows(tensor, async (signal) => {
    const [wide, tall] = [await readFloats(a, signal), await readFloats(b, signal)];
    const [rank, columns] = [rowCount(a), columnCount(a)];
    const delta = new Float64Array(columns);
    return (values, row) => {
      delta.fill(0);
      for (let k = 0; k < rank; k++) {
        const factor = scale * tall[row * rank + k]!;
        for (let c = 0; c < columns; c++) delta[c]! += factor * wide[k * columns + c]!;
      }
      for (let c = 0; c < columns; c++) values[c]! += delta[c]!;
    };
  });
}
