import { invalidInput, type PressError, unsupported } from '../core/errors.ts';
import type { LoraAdapter, LoraPair } from '../core/lora.ts';
import type { Change, Model } from '../core/model.ts';
import { columnCount, rowCount, type Tensor } from '../core/tensor.ts';
import { withChanges } from './pass.ts';
import { readFloats, rewriteRows } from './rows/float-rows.ts';

const NAME = 'merge-lora';

/**
 * Adds an adapter to the matrices that it was trained on: W + scale B A, for DoRA with rows of given lengths.
 * Unlike the other passes it changes what the model computes. The adapter's files become files of the model,
 * which closes them.
 * @throws PressError unsupported where the model has no matrix of that name, invalid-input where shapes do
 * not fit, and, when rows are read, where the adapter or the sum is not finite.
 */
export function mergeLora(model: Model, adapter: LoraAdapter): Model {
  const tensors = new Map(model.tensors);
  const changes: Change[] = [];
  for (const [target, pair] of adapter.pairs) {
    const tensor = targetOf(model, target);
    if (tensor === undefined) throw unknownTarget(adapter, target);
    assertFits(adapter, tensor, pair);
    tensors.set(tensor.name, withAdapter(tensor, pair));
    const sum = `W + ${pair.scale} B A, rank ${rowCount(pair.a)}`;
    changes.push({
      pass: NAME,
      subject: tensor.name,
      from: 'W',
      to: pair.lengths === undefined ? sum : `${sum}, rows of the lengths of DoRA`,
      reason: `adapter ${adapter.name}`,
    });
  }
  const merged = withChanges(model, changes, { tensors });
  return { ...merged, files: [...model.files, ...adapter.files] };
}

/** Adapters that were trained without the language-model head name modules without `model.`. */
function targetOf({ tensors }: Model, name: string): Tensor | undefined {
  const tensor = tensors.get(name) ?? tensors.get(`model.${name}`);
  return tensor?.shape.length === 2 ? tensor : undefined;
}

function unknownTarget({ name }: LoraAdapter, target: string): PressError {
  return unsupported({ file: name, field: `adapter of ${target}`, what: 'the model has no such matrix' });
}

function assertFits({ name }: LoraAdapter, tensor: Tensor, { a, b, lengths }: LoraPair): void {
  const fault = { file: name, field: `adapter of ${tensor.name}` };
  const [got, expected] = [
    [rowCount(b), columnCount(a)],
    [rowCount(tensor), columnCount(tensor)],
  ];
  if (got.join() !== expected.join()) {
    throw invalidInput({ ...fault, what: 'shape of B A', got, expected: `[${expected.join(', ')}]` });
  }
  if (lengths !== undefined && columnCount(lengths) !== rowCount(tensor)) {
    const count = columnCount(lengths);
    throw invalidInput({
      ...fault,
      what: 'lora_magnitude_vector',
      got: count,
      expected: `${rowCount(tensor)}`,
    });
  }
}

/** A and B are held in memory: they are thin. Sums are taken in f64. */
function withAdapter(tensor: Tensor, { a, b, scale, lengths }: LoraPair): Tensor {
  return rewriteRows(tensor, async (signal) => {
    const [wide, tall] = [await readFinite(a, signal), await readFinite(b, signal)];
    const wanted = lengths && (await readFinite(lengths, signal));
    const [rank, columns] = [rowCount(a), columnCount(a)];
    const sums = new Float64Array(columns);
    return (values, row) => {
      sums.fill(0);
      for (let k = 0; k < rank; k++) {
        const factor = scale * tall[row * rank + k]!;
        for (let c = 0; c < columns; c++) sums[c]! += factor * wide[k * columns + c]!;
      }
      let squares = 0;
      for (let c = 0; c < columns; c++) {
        sums[c]! += values[c]!;
        squares += sums[c]! ** 2;
      }
      const stretch = wanted === undefined ? 1 : wanted[row]! / Math.sqrt(squares);
      for (let c = 0; c < columns; c++) {
        values[c] = stretch * sums[c]!;
        if (!Number.isFinite(values[c])) throw overflow(tensor, row, c);
      }
    };
  });
}

async function readFinite(tensor: Tensor, signal: AbortSignal | undefined): Promise<Float32Array> {
  const values = await readFloats(tensor, signal);
  const broken = values.findIndex((value) => !Number.isFinite(value));
  if (broken < 0) return values;
  const columns = columnCount(tensor);
  const place = `[${Math.floor(broken / columns)}, ${broken % columns}]`;
  throw invalidInput({ field: tensor.name, what: `weight ${place} is not finite`, got: values[broken] });
}

function overflow(tensor: Tensor, row: number, column: number): PressError {
  const what = `weight [${row}, ${column}] with its adapter is not finite`;
  return invalidInput({ field: tensor.name, what });
}
