import type { BundleModel } from '../manifest.ts';
import type { DeviceWeights } from './device-weights.ts';
import { type BoundDispatch, bindParams, type Dispatch, encodeDispatches } from './dispatch.ts';
import { type ContextSize, LayerKernels, type Mode } from './layer-kernels.ts';
import { placeLayer } from './layer-weights.ts';
import { cacheWords } from './shaders.ts';

export interface PassSize extends ContextSize {
  readonly logitRows: number;
}

/** A PLM as lists of dispatches over static buffers. */
export class ForwardPass {
  readonly ids: GPUBuffer;
  readonly logits: GPUBuffer;
  /** One count per layer, 256 bytes apart. */
  readonly fired: GPUBuffer;
  readonly cacheBytes: number;
  readonly #device: GPUDevice;
  readonly #model: BundleModel;
  readonly #weights: DeviceWeights;
  readonly #kernels: LayerKernels;
  readonly #caches: readonly GPUBuffer[];
  #embed: BoundDispatch[] = [];
  #layers: Readonly<Record<Mode, BoundDispatch[]>> = { step: [], prefill: [] };
  #head: Readonly<Record<Mode, BoundDispatch[]>> = { step: [], prefill: [] };

  /** Dispatches take their params from slots of `params`. */
  static async create(
    device: GPUDevice,
    model: BundleModel,
    weights: DeviceWeights,
    size: PassSize,
    params: GPUBuffer,
  ): Promise<ForwardPass> {
    const kernels = await LayerKernels.create(device, model, size);
    const pass = new ForwardPass(device, model, weights, kernels, size);
    await pass.#compile(params);
    return pass;
  }

  private constructor(
    device: GPUDevice,
    model: BundleModel,
    weights: DeviceWeights,
    kernels: LayerKernels,
    { contextLength, logitRows }: PassSize,
  ) {
    this.#device = device;
    this.#model = model;
    this.#weights = weights;
    this.#kernels = kernels;
    const words = cacheWords(kernels.shape);
    const floats = (label: string, count: number) => kernels.allocate(label, 4 * count);
    this.ids = floats('ids', contextLength + 1);
    this.logits = floats('logits', logitRows * model.vocab_size);
    this.fired = floats('fired', 64 * model.intermediate_sizes.length);
    this.#caches = model.intermediate_sizes.map((_, layer) =>
      floats(`cache of layer ${layer}`, contextLength * words),
    );
    this.cacheBytes = 4 * contextLength * words * this.#caches.length;
  }

  get workingBytes(): number {
    return this.#kernels.sizes.reduce((sum, size) => sum + size, 0) - this.cacheBytes;
  }

  get largestBinding(): number {
    return Math.max(...this.#kernels.sizes);
  }

  get dispatchesPerLayer(): number {
    return this.#layers.step.length / this.#caches.length;
  }

  /** From the id of a token to the logits after it. */
  get dispatchesPerToken(): number {
    return this.#embed.length + this.#layers.step.length + this.#head.step.length;
  }

  /** Sends the tokens that the params in `slot` name from their ids through the layers. */
  encodeLayers(encoder: GPUComputePassEncoder, slot: number, tokens: number, splits: number): void {
    encodeDispatches(encoder, this.#embed, slot, tokens);
    encodeDispatches(encoder, this.#layers[modeOf(tokens)], slot, tokens, splits);
  }

  /** Logits of `tokens` rows of the residual stream from the one on that the params name. */
  encodeLogits(encoder: GPUComputePassEncoder, slot: number, tokens: number): void {
    encodeDispatches(encoder, this.#head[modeOf(tokens)], slot, tokens);
  }

  dispose(): void {
    this.#kernels.dispose();
  }

  async #compile(params: GPUBuffer): Promise<void> {
    const { tie_word_embeddings: tied, intermediate_sizes: widths } = this.#model;
    const kernels = this.#kernels;
    const embedding = this.#weights.matrix('model.embed_tokens.weight');
    const norm = this.#weights.vector('model.norm.weight');
    const layers = widths.map((_, layer) => placeLayer(this.#weights, this.#model, layer));
    const head = tied ? embedding : this.#weights.matrix('lm_head.weight');
    const bound = async (dispatches: readonly Promise<Dispatch>[]) =>
      bindParams(this.#device, await Promise.all(dispatches), params);
    const layersIn = (mode: Mode) =>
      bound(
        layers.flatMap((weights, layer) => {
          const fired = { buffer: this.fired, offset: 256 * layer, size: 4 };
          return kernels.layer(weights, {
            mode,
            cache: this.#caches[layer]!,
            ...(mode === 'step' && { fired }),
          });
        }),
      );
    const headIn = (mode: Mode) => bound(kernels.head(head, norm, this.logits, mode));
    this.#embed = await bound(kernels.embed(embedding, this.ids));
    this.#layers = { step: await layersIn('step'), prefill: await layersIn('prefill') };
    this.#head = { step: await headIn('step'), prefill: await headIn('prefill') };
  }
}

function modeOf(tokens: number): Mode {
  return tokens === 1 ? 'step' : 'prefill';
}
