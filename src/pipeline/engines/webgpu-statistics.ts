import type { StatisticsRuntime } from '../../../calibration/collect.ts';
import { type DeviceForm, deviceForms } from '../../../formats/webgpu/device-form.ts';
import { bundleModel } from '../../../formats/webgpu/geometry.ts';
import { PressError, unsupported } from '../../core/errors.ts';
import type { Progress } from '../../core/jobs/progress.ts';
import type { Model } from '../../core/model.ts';
import { openCompute } from '../../kernels/compute.ts';
import { defaultThreads } from '../../kernels/threads.ts';
import type { ActivationStatistics, StatisticsRequest } from '../../runtime/activation-sums.ts';
import { assertContext } from '../../runtime/plm-runtime.ts';
import { BundleError } from '../../webgpu/bundle-error.ts';
import { scaleRowBytes, valueRowBytes } from '../../webgpu/planes.ts';
import type { StatisticsEngine } from '../../webgpu/statistics/statistics-engine.ts';
import type { TensorSink } from '../writing/tensor-sink.ts';
import { assertTranscodable, transcode } from '../writing/transcode.ts';
import { SLOTS, sideBytes, slotBytes } from '../writing/working-memory.ts';
import { openDevice } from './dawn.ts';
import { HostSums } from './host-sums.ts';

export interface DeviceOptions {
  readonly contextLength: number;
  /** Threads that bring weights into the form of the GPU. Default: `defaultThreads`. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
}

/**
 * Runs a model on a GPU for the sums of its activations: matrices in f16, or as stored where that is Q8_0 or
 * Q4_0 by rows.
 * @throws PressError unsupported without a GPU, for second moments and where kv_b_proj is taken apart; usage
 * for a context that the model does not know; invalid-input for weights that f16 does not hold; local-io
 * where the GPU has too little memory.
 */
export async function openDeviceStatistics(
  model: Model,
  request: StatisticsRequest,
  options: DeviceOptions,
): Promise<StatisticsRuntime> {
  assertRuns(model, request);
  assertContext(model.config, options.contextLength);
  const forms = deviceForms(model);
  for (const { planned } of forms) assertTranscodable(planned);
  const { createStatisticsEngine } = await import('../../webgpu/statistics/statistics-engine.ts');
  const device = await openDevice();
  const errors = new DeviceErrors(device);
  try {
    const tensors = forms.map(({ tensor }) => tensor);
    const geometry = bundleModel(model.config);
    const engine = await createStatisticsEngine(device, geometry, tensors, options.contextLength);
    await load(engine, model, forms, options);
    errors.check();
    const sums = new HostSums(model.config, request.tokens);
    return new DeviceStatistics({ device, errors, engine, sums }, options.signal);
  } catch (cause) {
    device.destroy();
    if (!(cause instanceof BundleError)) throw cause;
    const failure = cause.code === 'out-of-memory' ? 'local-io' : 'unsupported';
    throw new PressError(failure, { what: cause.message }, { cause });
  }
}

function assertRuns({ config: { kvBForm } }: Model, { readings }: StatisticsRequest): void {
  if (readings.some((moments) => moments.length > 0)) {
    throw unsupported({
      what: 'second moments are not collected on the device webgpu',
      expected: 'the device cpu',
    });
  }
  if (kvBForm === undefined) return;
  const what = `the device webgpu needs kv_b_proj as in checkpoints, but this model is ${kvBForm}`;
  throw unsupported({ what, expected: 'the device cpu' });
}

/** Streams the weights through the host, a few chunks at a time. */
async function load(
  engine: StatisticsEngine,
  model: Model,
  forms: readonly DeviceForm[],
  { threads = defaultThreads(model.tensors.values()), progress, signal }: DeviceOptions,
): Promise<void> {
  const tensors = forms.map(({ planned }) => planned);
  const limit = { maxMemory: undefined, resident: 0, threads };
  const bytes = slotBytes(tensors, limit);
  const compute = await openCompute({ threads, bytes: SLOTS * bytes + sideBytes(tensors) });
  try {
    await transcode(
      forms.map((form) => transferTo(engine, form)),
      {
        compute,
        slotBytes: bytes,
        files: model.files,
        phase: 'load weights',
        progress,
        signal,
      },
    );
  } finally {
    await compute.close();
  }
}

function transferTo(engine: StatisticsEngine, { tensor, planned }: DeviceForm): TensorSink {
  const [valueBytes, scaleBytes] = [valueRowBytes(tensor), scaleRowBytes(tensor)];
  const scales = tensor.rows * valueBytes;
  return {
    tensor: planned,
    write(bytes, offset) {
      // WebGPU takes no shared memory.
      const rows = new Uint8Array(bytes);
      return offset < scales
        ? engine.writeRows(tensor.name, 'values', offset / valueBytes, rows)
        : engine.writeRows(tensor.name, 'scales', (offset - scales) / scaleBytes, rows);
    },
  };
}

/** Errors of a device that no call throws: of kernels and commands that it refuses. */
class DeviceErrors {
  #first: GPUError | undefined;

  constructor(device: GPUDevice) {
    device.addEventListener('uncapturederror', ({ error }) => {
      this.#first ??= error;
    });
  }

  check(): void {
    if (this.#first !== undefined) throw new Error(`the GPU fails: ${this.#first.message}`);
  }
}

interface StatisticsParts {
  readonly device: GPUDevice;
  readonly errors: DeviceErrors;
  readonly engine: StatisticsEngine;
  readonly sums: HostSums;
}

/** An engine with the device that it alone uses, and what its batches sum up to. */
class DeviceStatistics implements StatisticsRuntime {
  readonly #parts: StatisticsParts;
  readonly #signal: AbortSignal | undefined;

  constructor(parts: StatisticsParts, signal: AbortSignal | undefined) {
    this.#parts = parts;
    this.#signal = signal;
  }

  /** Chunks have no past in any case. */
  reset(): void {}

  beginReading(): void {
    this.#parts.sums.clear();
  }

  weighTokens(weight: number): void {
    this.#parts.sums.weight = weight;
  }

  async forward(ids: readonly number[]): Promise<void> {
    const { engine, sums, errors } = this.#parts;
    await engine.read(ids, (batch) => {
      this.#signal?.throwIfAborted();
      sums.add(batch, engine.places);
    });
    errors.check();
  }

  statistics(): ActivationStatistics {
    return this.#parts.sums.read();
  }

  statisticsState(): Uint8Array[] {
    return this.#parts.sums.state();
  }

  async close(): Promise<void> {
    this.#parts.engine.dispose();
    this.#parts.device.destroy();
  }
}
