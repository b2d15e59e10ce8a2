import { BundleError } from '../bundle-error.ts';
import { COPY_DST, MAP_MODE_READ, MAP_READ, UNIFORM } from '../engine/buffer-usage.ts';
import { DeviceWeights, type Plane } from '../engine/device-weights.ts';
import { ForwardPass, PREFILL_TOKENS } from '../engine/forward-pass.ts';
import { PARAMS_STRIDE, paramsBytes } from '../engine/params.ts';
import type { BundleModel, BundleTensor } from '../manifest.ts';
import type { SumPlaces } from './sum-places.ts';
import { SumWatch } from './sum-watch.ts';

/** The sums of one batch, in the places of `StatisticsEngine.places`. The views hold until `use` returns. */
export interface BatchSums {
  readonly tokens: number;
  readonly floats: Float32Array;
  readonly words: Uint32Array;
}

/**
 * Compiles the kernels and allocates the buffers. Heads need not be among the tensors, whose pieces do not
 * matter.
 * @throws BundleError where the device lacks what they need.
 */
export async function createStatisticsEngine(
  device: GPUDevice,
  model: BundleModel,
  tensors: readonly BundleTensor[],
  contextLength: number,
): Promise<StatisticsEngine> {
  device.pushErrorScope('out-of-memory');
  const weights = new DeviceWeights(device, { tensors });
  const watch = new SumWatch(device, model, PREFILL_TOKENS);
  const params = device.createBuffer({ size: PARAMS_STRIDE, usage: UNIFORM | COPY_DST });
  const size = { contextLength, logitRows: 0, split: contextLength };
  const pass = await ForwardPass.create(device, model, weights, size, params, watch);
  const engine = new StatisticsEngine(device, { weights, watch, pass, params, contextLength });
  const error = await device.popErrorScope();
  if (error) throw new BundleError('out-of-memory', `the GPU has too little memory: ${error.message}`);
  return engine;
}

interface EngineParts {
  readonly weights: DeviceWeights;
  readonly watch: SumWatch;
  readonly pass: ForwardPass;
  readonly params: GPUBuffer;
  readonly contextLength: number;
}

/** A batch on its way back from the GPU. */
interface Reading {
  readonly tokens: number;
  readonly staging: GPUBuffer;
  readonly mapped: Promise<void>;
}

/** Runs a model over texts on a WebGPU device for the sake of its activations: logits are never computed. */
export class StatisticsEngine {
  readonly #device: GPUDevice;
  readonly #parts: EngineParts;
  /** One is filled while the other is read. */
  readonly #staging: readonly GPUBuffer[];

  constructor(device: GPUDevice, parts: EngineParts) {
    this.#device = device;
    this.#parts = parts;
    const { size } = parts.watch.sums;
    this.#staging = [0, 1].map(() => device.createBuffer({ size, usage: MAP_READ | COPY_DST }));
  }

  get places(): SumPlaces {
    return this.#parts.watch.places;
  }

  /** Copies rows of a tensor; `firstRow` is even, so that it begins with a whole word. */
  async writeRows(
    name: string,
    plane: Plane,
    firstRow: number,
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<void> {
    this.#parts.weights.writeRows(name, plane, firstRow, bytes);
    // Bytes that queue up would be held twice.
    await this.#device.queue.onSubmittedWorkDone();
  }

  /**
   * Reads tokens without a past, no more than the context, and hands the sums of every batch in its order to
   * `use`.
   */
  async read(ids: readonly number[], use: (sums: BatchSums) => void): Promise<void> {
    let before: Reading | undefined;
    for (let first = 0; first < ids.length; first += PREFILL_TOKENS) {
      const batch = ids.slice(first, first + PREFILL_TOKENS);
      const reading = this.#submit(batch, first);
      if (before !== undefined) await take(before, use);
      before = reading;
    }
    if (before !== undefined) await take(before, use);
  }

  #submit(batch: readonly number[], position: number): Reading {
    const { pass, params, watch, contextLength: split } = this.#parts;
    const device = this.#device;
    const tokens = batch.length;
    device.queue.writeBuffer(pass.ids, 4 * position, Uint32Array.from(batch));
    device.queue.writeBuffer(params, 0, paramsBytes([{ position, tokens, row: 0, split, splits: 1 }]));
    const commands = device.createCommandEncoder();
    const encoder = commands.beginComputePass();
    pass.encodeLayers(encoder, 0, tokens, 1);
    encoder.end();
    const staging = this.#staging[(position / PREFILL_TOKENS) % 2]!;
    commands.copyBufferToBuffer(watch.sums, 0, staging, 0, staging.size);
    device.queue.submit([commands.finish()]);
    const mapped = staging.mapAsync(MAP_MODE_READ);
    // A failure is met when the batch is taken; until then it must not count as unhandled.
    mapped.catch(() => undefined);
    return { tokens, staging, mapped };
  }

  dispose(): void {
    const { weights, watch, pass, params } = this.#parts;
    for (const part of [weights, watch, pass]) part.dispose();
    for (const buffer of [params, ...this.#staging]) buffer.destroy();
  }
}

async function take({ tokens, staging, mapped }: Reading, use: (sums: BatchSums) => void): Promise<void> {
  await mapped;
  try {
    const bytes = staging.getMappedRange();
    use({ tokens, floats: new Float32Array(bytes), words: new Uint32Array(bytes) });
  } finally {
    staging.unmap();
  }
}
