import { BundleError } from '../bundle-error.ts';
import { COPY_DST, MAP_READ, UNIFORM } from '../engine/buffer-usage.ts';
import { DeviceWeights } from '../engine/device-weights.ts';
import { bindParams, type Dispatch } from '../engine/dispatch.ts';
import { LayerKernels, PREFILL_TOKENS } from '../engine/layer-kernels.ts';
import { placeLayer } from '../engine/layer-weights.ts';
import { PARAMS_STRIDE } from '../engine/params.ts';
import { cacheWords } from '../engine/shaders.ts';
import type { BundleModel, BundleTensor } from '../manifest.ts';
import { MomentSums } from './moment-sums.ts';
import { headPlace, type LayerPlaces, layerPlaces, type MomentSite, type Run } from './sum-places.ts';
import { type Moments, SumWatch } from './sum-watch.ts';
import { SummedStage } from './summed-stage.ts';

/** Upper triangles, row by row, that second moments are added to. */
export type Triangles = ReadonlyMap<MomentSite, Float64Array>;

/** Buffers that all layers share. */
interface Shared {
  readonly kernels: LayerKernels;
  readonly watch: SumWatch;
  readonly cache: GPUBuffer;
  readonly params: GPUBuffer;
  /** One is filled while the other is read. */
  readonly staging: readonly GPUBuffer[];
}

/**
 * Runs a model on a WebGPU device for the sake of its activations, one layer after the other: logits are never
 * computed, and the device holds the weights of one layer at a time.
 */
export class StatisticsEngine {
  /** Tokens that go through a layer together, at most. */
  readonly batchTokens = PREFILL_TOKENS;
  readonly #device: GPUDevice;
  readonly #model: BundleModel;
  readonly #shared: Shared;

  /**
   * Allocates what all layers share.
   * @throws BundleError out-of-memory where the device lacks room.
   */
  static create(device: GPUDevice, model: BundleModel, contextLength: number): Promise<StatisticsEngine> {
    return withRoom(device, async () => {
      const kernels = await LayerKernels.create(device, model, { contextLength, split: contextLength });
      const watch = new SumWatch(device, model, kernels);
      const size = watch.sums.size + kernels.activations.hidden.size;
      return new StatisticsEngine(device, model, {
        kernels,
        watch,
        cache: kernels.allocate('cache', 4 * contextLength * cacheWords(kernels.shape)),
        params: device.createBuffer({ size: PARAMS_STRIDE, usage: UNIFORM | COPY_DST }),
        staging: [0, 1].map(() => device.createBuffer({ size, usage: MAP_READ | COPY_DST })),
      });
    });
  }

  private constructor(device: GPUDevice, model: BundleModel, shared: Shared) {
    this.#device = device;
    this.#model = model;
    this.#shared = shared;
  }

  /** Distance of tokens in hidden states, in floats. */
  get hiddenStride(): number {
    return this.#shared.kernels.hiddenStride;
  }

  /**
   * Makes room for a layer, whose weights are then to be written. Second moments are added to `triangles`.
   * @throws BundleError where the device lacks what it needs.
   */
  layer(
    layer: number,
    tensors: readonly BundleTensor[],
    triangles: Triangles,
  ): Promise<SummedStage<LayerPlaces>> {
    const { kernels, watch, cache } = this.#shared;
    const places = layerPlaces(this.#model, this.#model.intermediate_sizes[layer]!);
    return this.#stage(places, tensors, triangles, (weights, moments) => {
      const placed = placeLayer(weights, this.#model, layer);
      const looking = watch.layer(placed, places, moments);
      return kernels.layer(placed, { mode: 'prefill', cache, watch: looking });
    });
  }

  /** The same for what the head is multiplied with; of weights it takes those of the last norm. */
  head(tensors: readonly BundleTensor[], triangles: Triangles): Promise<SummedStage<{ head: Run }>> {
    const places = { head: headPlace(this.#model) };
    return this.#stage(places, tensors, triangles, (weights, moments) =>
      this.#shared.watch.head(weights.vector('model.norm.weight'), moments),
    );
  }

  #stage<P extends Partial<Record<MomentSite, Run>>>(
    places: P,
    tensors: readonly BundleTensor[],
    triangles: Triangles,
    dispatches: (weights: DeviceWeights, moments: Moments) => readonly Promise<Dispatch>[],
  ): Promise<SummedStage<P>> {
    const device = this.#device;
    const { kernels, watch, params, staging } = this.#shared;
    return withRoom(device, async () => {
      const weights = new DeviceWeights(device, { tensors });
      const moments = new Map<MomentSite, MomentSums>();
      for (const [site, triangle] of triangles) {
        const run = places[site];
        if (run !== undefined) {
          moments.set(site, new MomentSums(device, kernels.compiler, run.count, triangle));
        }
      }
      const bound = async (all: readonly Promise<Dispatch>[]) =>
        bindParams(device, await Promise.all(all), params);
      const [forward, products] = await Promise.all([
        bound(dispatches(weights, moments)),
        bound([...moments.values()].flatMap((sums) => sums.multiply())),
      ]);
      return new SummedStage(device, {
        weights,
        places,
        moments: [...moments.values()],
        forward,
        products,
        hidden: kernels.activations.hidden,
        sums: watch.sums,
        params,
        staging,
      });
    });
  }

  dispose(): void {
    const { kernels, watch, params, staging } = this.#shared;
    for (const part of [kernels, watch]) part.dispose();
    for (const buffer of [params, ...staging]) buffer.destroy();
  }
}

async function withRoom<T>(device: GPUDevice, allocate: () => Promise<T>): Promise<T> {
  device.pushErrorScope('out-of-memory');
  const [allocated] = await Promise.allSettled([allocate()]);
  const error = await device.popErrorScope();
  if (error) throw new BundleError('out-of-memory', `the GPU has too little memory: ${error.message}`);
  if (allocated.status === 'rejected') throw allocated.reason;
  return allocated.value;
}
