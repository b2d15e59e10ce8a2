import type { Sampling } from '../engine.ts';
import type { BundleModel } from '../manifest.ts';
import { COPY_DST, STORAGE, UNIFORM } from './buffer-usage.ts';
import { type BoundDispatch, bindParams, dispatchOf, encodeDispatches } from './dispatch.ts';
import type { ForwardPass } from './forward-pass.ts';
import { KernelCompiler } from './kernel.ts';
import { pickKernel } from './shaders.ts';

/** Picks a token on the GPU and appends it to the earlier ones. */
export class PickStep {
  readonly #device: GPUDevice;
  readonly #vocabulary: number;
  readonly #sampling: GPUBuffer;
  /** One bit per token. */
  readonly #seen: GPUBuffer;
  #dispatches: BoundDispatch[] = [];

  static async create(
    device: GPUDevice,
    { vocab_size: vocabulary }: BundleModel,
    { logits, ids }: ForwardPass,
    params: GPUBuffer,
  ): Promise<PickStep> {
    const step = new PickStep(device, vocabulary);
    const resources = [step.#sampling, logits, ids, step.#seen].map((buffer) => ({ buffer }));
    const compiler = new KernelCompiler(device);
    const dispatch = await dispatchOf(compiler, pickKernel(), resources, () => [1, 1, 1]);
    step.#dispatches = bindParams(device, [dispatch], params);
    return step;
  }

  private constructor(device: GPUDevice, vocabulary: number) {
    this.#device = device;
    this.#vocabulary = vocabulary;
    this.#sampling = device.createBuffer({ size: 32, usage: UNIFORM | COPY_DST });
    this.#seen = device.createBuffer({ size: 4 * Math.ceil(vocabulary / 32), usage: STORAGE | COPY_DST });
  }

  /** Sets the inputs of the next picks: the tokens so far, and choices. */
  write(ids: readonly number[], sampling: Sampling): void {
    const { temperature = 0, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1, seed = 0 } = sampling;
    const tokens = sampling.tokens ?? this.#vocabulary;
    const bytes = new ArrayBuffer(32);
    new Float32Array(bytes).set([temperature, topP, minP, repetitionPenalty]);
    new Uint32Array(bytes, 16).set([topK, seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0, tokens]);
    this.#device.queue.writeBuffer(this.#sampling, 0, bytes);
    const seen = new Uint32Array(this.#seen.size / 4);
    for (const id of ids) seen[id >> 5]! |= 1 << (id & 31);
    this.#device.queue.writeBuffer(this.#seen, 0, seen);
  }

  /** Picks what follows the tokens that the params in `slot` name. */
  encode(encoder: GPUComputePassEncoder, slot: number): void {
    encodeDispatches(encoder, this.#dispatches, slot, 1);
  }

  dispose(): void {
    this.#sampling.destroy();
    this.#seen.destroy();
  }
}
