import type { DeviceForm } from '../../../formats/webgpu/device-form.ts';
import type { Model } from '../../core/model.ts';
import { openCompute } from '../../kernels/compute.ts';
import { defaultThreads } from '../../kernels/threads.ts';
import { scaleRowBytes, valueRowBytes } from '../../webgpu/planes.ts';
import type { SummedStage } from '../../webgpu/statistics/summed-stage.ts';
import type { TensorSink } from '../writing/tensor-sink.ts';
import { transcode } from '../writing/transcode.ts';
import { SLOTS, sideBytes, slotBytes } from '../writing/working-memory.ts';

interface LoadOptions {
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Streams weights through the host onto the GPU, a few chunks at a time. */
export async function loadStage(
  stage: SummedStage<unknown>,
  model: Model,
  forms: readonly DeviceForm[],
  { threads = defaultThreads(model.tensors.values()), signal }: LoadOptions,
): Promise<void> {
  const tensors = forms.map(({ planned }) => planned);
  const limit = { maxMemory: undefined, resident: 0, threads };
  const bytes = slotBytes(tensors, limit);
  const compute = await openCompute({ threads, bytes: SLOTS * bytes + sideBytes(tensors) });
  try {
    await transcode(
      forms.map((form) => transferTo(stage, form)),
      { compute, slotBytes: bytes, files: model.files, signal },
    );
  } finally {
    await compute.close();
  }
}

function transferTo(stage: SummedStage<unknown>, { tensor, planned }: DeviceForm): TensorSink {
  const [valueBytes, scaleBytes] = [valueRowBytes(tensor), scaleRowBytes(tensor)];
  const scales = tensor.rows * valueBytes;
  return {
    tensor: planned,
    write(bytes, offset) {
      // WebGPU takes no shared memory.
      const rows = new Uint8Array(bytes);
      return offset < scales
        ? stage.writeRows(tensor.name, 'values', offset / valueBytes, rows)
        : stage.writeRows(tensor.name, 'scales', (offset - scales) / scaleBytes, rows);
    },
  };
}
