import type { ExportPlan, PlannedTensor } from '../../core/export-plan.ts';
import type { Model } from '../../core/model.ts';
import { schemeBytes } from '../../core/scheme.ts';
import { columnCount, rowBytes, type Tensor } from '../../core/tensor.ts';
import { openCompute } from '../../kernels/compute.ts';
import { defaultThreads } from '../../kernels/threads.ts';
import type { StorageError } from '../writing/storage-error.ts';
import type { StoredTensor } from '../writing/stored-tensor.ts';
import type { TensorSink } from '../writing/tensor-sink.ts';
import { transcode } from '../writing/transcode.ts';
import { SLOTS, sideBytes, slotBytes } from '../writing/working-memory.ts';

export interface RoundOptions {
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Rounds tensors as a conversion does and forgets them: how far each would be from its source. */
export async function errorsOf(
  model: Model,
  tensors: readonly PlannedTensor[],
  options: RoundOptions,
): Promise<ReadonlyMap<PlannedTensor, StorageError>> {
  const sinks = tensors.map((tensor) => ({ tensor, write: async () => {} }));
  const stored = await round(model, sinks, options);
  return new Map([...stored].map(([tensor, { error }]) => [tensor, error]));
}

/** Rounds one tensor into memory, under the name of its source. */
export async function roundedTensor(
  model: Model,
  planned: PlannedTensor,
  options: RoundOptions,
): Promise<Tensor> {
  const { source, scheme, offset } = planned;
  const columns = columnCount(source);
  const stored = new Uint8Array(
    source.shape.reduce((product, n) => product * n, 1) * (schemeBytes(scheme, columns) / columns),
  );
  const write = async (bytes: Uint8Array, at: number) => stored.set(bytes, at - offset);
  await round(model, [{ tensor: planned, write }], options);
  return {
    name: source.name,
    scheme,
    shape: source.shape,
    origin: source.origin,
    rowStep: 1,
    async readRows({ first }, into) {
      const start = first * rowBytes({ scheme, shape: source.shape });
      into.set(stored.subarray(start, start + into.length));
    },
  };
}

/** The model with the weights that a GGUF of this plan would hold, in memory. */
export async function roundedModel(model: Model, plan: ExportPlan, options: RoundOptions): Promise<Model> {
  const tensors = new Map(model.tensors);
  for (const tensor of matricesOf(plan)) {
    tensors.set(tensor.source.name, await roundedTensor(model, tensor, options));
  }
  return { ...model, tensors };
}

export function matricesOf(plan: ExportPlan): PlannedTensor[] {
  return plan.files.flatMap(({ tensors }) => tensors.filter(({ source }) => source.shape.length > 1));
}

async function round(
  { files }: Model,
  sinks: readonly TensorSink[],
  { signal, ...options }: RoundOptions,
): Promise<ReadonlyMap<PlannedTensor, StoredTensor>> {
  const tensors = sinks.map(({ tensor }) => tensor);
  const threads = options.threads ?? defaultThreads(tensors.map(({ source }) => source));
  const bytes = slotBytes(tensors, { maxMemory: undefined, resident: 0, threads });
  const compute = await openCompute({ threads, bytes: SLOTS * bytes + sideBytes(tensors) });
  try {
    return await transcode(sinks, {
      compute,
      slotBytes: bytes,
      files,
      signal,
    });
  } finally {
    await compute.close();
  }
}
