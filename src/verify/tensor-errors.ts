import type { Fault } from '../core/errors.ts';
import type { Progress } from '../core/jobs/progress.ts';
import type { Model } from '../core/model.ts';
import { openCompute } from '../kernels/compute.ts';
import { defaultThreads } from '../kernels/threads.ts';
import { type TensorError, TensorPair } from './tensor-pair.ts';

export type { TensorError } from './tensor-pair.ts';

export interface TensorErrorOptions {
  /** Default: `defaultThreads`. */
  readonly threads?: number | undefined;
  /** Bytes of weights in memory at once, one row step of each model at least. Default 32 MiB. */
  readonly budget?: number;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
}

const DEFAULT_BUDGET = 32 << 20;

/** Tensors that only one of the models has, or that differ in shape. */
export function* tensorMismatches(reference: Model, artifact: Model): Generator<Fault, void> {
  for (const [name, { shape }] of reference.tensors) {
    const other = artifact.tensors.get(name);
    if (other === undefined) {
      yield { field: name, what: 'tensor is missing in the artifact' };
    } else if (!sameShape(shape, other.shape)) {
      yield { field: name, what: 'shape', got: other.shape, expected: JSON.stringify(shape) };
    }
  }
  for (const name of artifact.tensors.keys()) {
    if (!reference.tensors.has(name)) yield { field: name, what: 'tensor is not in the reference' };
  }
}

/**
 * Compares the tensors that both models have in the same shape, by rows under a budget, in the order of the
 * artifact. Throws `unsupported` for schemes without decoder.
 */
export async function* tensorErrors(
  reference: Model,
  artifact: Model,
  options: TensorErrorOptions = {},
): AsyncGenerator<TensorError, void> {
  const { threads = defaultThreads(artifact.tensors.values()), signal, progress } = options;
  const pairs = matchingPairs(reference, artifact, options.budget ?? DEFAULT_BUDGET);
  const bytes = Math.max(0, ...pairs.map((pair) => pair.workingBytes));
  const compute = await openCompute({ threads, bytes });
  try {
    const area = compute.alloc(bytes);
    const total = pairs.reduce((sum, pair) => sum + pair.byteLength, 0);
    progress?.({ kind: 'phase', name: 'compare tensors', total, unit: 'bytes' });
    let before = 0;
    for (const pair of pairs) {
      for await (const done of pair.compare(compute, area, signal)) {
        progress?.({ kind: 'advance', done: before + done, item: pair.artifact.name });
      }
      before += pair.byteLength;
      yield pair.result();
    }
  } finally {
    await compute.close();
  }
}

function matchingPairs(reference: Model, artifact: Model, budget: number): TensorPair[] {
  const pairs: TensorPair[] = [];
  for (const [name, tensor] of artifact.tensors) {
    const other = reference.tensors.get(name);
    if (other === undefined || !sameShape(tensor.shape, other.shape)) continue;
    pairs.push(new TensorPair(other, tensor, budget, artifact.weighed));
  }
  return pairs;
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, dimension) => size === b[dimension]);
}
