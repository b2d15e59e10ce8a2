import { COPY_SRC, STORAGE } from '../engine/buffer-usage.ts';
import { type Dispatch, dispatchOf } from '../engine/dispatch.ts';
import type { KernelSource } from '../engine/kernel.ts';
import { type LayerKernels, PREFILL_TOKENS } from '../engine/layer-kernels.ts';
import type { LayerWatch } from '../engine/layer-watch.ts';
import type { LayerWeights } from '../engine/layer-weights.ts';
import { latentWords } from '../engine/shaders.ts';
import type { BundleModel } from '../manifest.ts';
import type { MomentSums } from './moment-sums.ts';
import { headPlace, type LayerPlaces, type MomentSite, type Run, sumWords } from './sum-places.ts';
import {
  addUpdateKernel,
  normFactorsKernel,
  type ScaledShape,
  type SquaresShape,
  SUM_COLUMNS,
  sumFiringsKernel,
  sumSquaresKernel,
  type VectorsShape,
} from './sum-shaders.ts';

/** Where second moments are wanted. */
export type Moments = ReadonlyMap<MomentSite, MomentSums>;

/**
 * Sums up what the matrices of a model are multiplied with, over the tokens of one batch in f32: 32 terms at
 * most, so that a sum of squares is off by no more than 2e-6 of itself. Gathers vectors for second moments.
 */
export class SumWatch {
  /** Of one batch and one layer, or the head. */
  readonly sums: GPUBuffer;
  readonly #kernels: LayerKernels;
  readonly #model: BundleModel;
  /** 1 / rms by token. */
  readonly #factors: GPUBuffer;
  /** What down_proj gives; zeros between two layers. */
  readonly #update: GPUBuffer;

  constructor(device: GPUDevice, model: BundleModel, kernels: LayerKernels) {
    const floats = (label: string, count: number, usage = STORAGE) =>
      device.createBuffer({ label, size: 4 * count, usage });
    this.#kernels = kernels;
    this.#model = model;
    this.sums = floats('sums', sumWords(model), STORAGE | COPY_SRC);
    this.#factors = floats('norm factors', PREFILL_TOKENS);
    this.#update = floats('update', PREFILL_TOKENS * kernels.hiddenStride);
  }

  layer(weights: LayerWeights, places: LayerPlaces, moments: Moments): LayerWatch {
    const { activations, hiddenStride, nothing } = this.#kernels;
    const columns = this.#model.hidden_size;
    const normed = { columns, stride: hiddenStride };
    const neurons = { columns: places.activations.count, stride: weights.upProj.rows };
    const { bias = nothing } = weights;
    return {
      attended: [
        ...this.#normed(activations.hidden, normed, weights.inputNorm, places.input, moments.get('input')),
        ...this.#attention(weights, places, moments),
      ],
      activated: [
        ...this.#normed(activations.hidden, normed, weights.ffnNorm, places.ffn, moments.get('ffn')),
        ...this.#plain(activations.activations, neurons, places.activations, moments.get('activations')),
        this.#dispatch(
          sumFiringsKernel(neurons),
          [
            { buffer: activations.activations },
            this.#place(places.activationSums),
            this.#place(places.fired),
          ],
          neurons.columns,
        ),
      ],
      update: this.#update,
      updated: [
        this.#dispatch(
          addUpdateKernel(normed, weights.bias !== undefined),
          [
            { buffer: this.#update },
            this.#place(places.ffnOutput),
            ...[activations.hidden, bias].map((buffer) => ({ buffer })),
          ],
          columns,
        ),
      ],
    };
  }

  /** Of what the head is multiplied with; `gamma` is of the norm before it. */
  head(gamma: GPUBuffer, moments: Moments): Promise<Dispatch>[] {
    const { activations, hiddenStride } = this.#kernels;
    const shape = { columns: this.#model.hidden_size, stride: hiddenStride };
    return this.#normed(activations.hidden, shape, gamma, headPlace(this.#model), moments.get('head'));
  }

  dispose(): void {
    for (const buffer of [this.sums, this.#factors, this.#update]) buffer.destroy();
  }

  #attention(weights: LayerWeights, places: LayerPlaces, moments: Moments): Promise<Dispatch>[] {
    const { shape, activations } = this.#kernels;
    const { heads, nope, latent, vDim, ropePairs, projectedStride, attendedStride, keyOffset } = shape;
    const { projected, queried, ranges, attended } = activations;
    const words = latentWords(shape);
    const rangeStride = 2 * (words + 1);
    return [
      ...this.#normed(
        projected,
        { columns: latent, stride: projectedStride, offset: keyOffset },
        weights.latentNorm,
        places.latent,
        moments.get('latent'),
      ),
      this.#squares(
        weights.queries === undefined ? projected : queried,
        {
          columns: nope,
          heads,
          headStride: nope + 2 * ropePairs,
          stride: shape.queriedStride,
          scale: 'none',
        },
        places.query,
      ),
      // Of batches, a token has one range: the whole cache.
      this.#squares(
        ranges,
        {
          columns: latent,
          heads,
          headStride: rangeStride,
          stride: heads * rangeStride,
          scale: 'mass',
          latentWords: words,
        },
        places.context,
      ),
      ...this.#plain(
        attended,
        { columns: heads * vDim, stride: attendedStride },
        places.attended,
        moments.get('attended'),
      ),
    ];
  }

  #normed(
    x: GPUBuffer,
    shape: VectorsShape,
    gamma: GPUBuffer,
    to: Run,
    moments: MomentSums | undefined,
  ): Promise<Dispatch>[] {
    const factors = dispatchOf(
      this.#kernels.compiler,
      normFactorsKernel(shape, this.#model.rms_norm_eps),
      [{ buffer: x }, { buffer: this.#factors }],
      (tokens) => [tokens, 1, 1],
    );
    return [factors, ...this.#vectors(x, { ...shape, scale: 'norm' }, to, moments, [gamma, this.#factors])];
  }

  #plain(x: GPUBuffer, shape: VectorsShape, to: Run, moments: MomentSums | undefined): Promise<Dispatch>[] {
    return this.#vectors(x, { ...shape, scale: 'none' }, to, moments);
  }

  #vectors(
    x: GPUBuffer,
    shape: ScaledShape,
    to: Run,
    moments: MomentSums | undefined,
    more: readonly GPUBuffer[] = [],
  ): Promise<Dispatch>[] {
    const squares = this.#squares(x, shape, to, more);
    return moments === undefined ? [squares] : [squares, moments.gather(x, shape, more)];
  }

  #squares(x: GPUBuffer, shape: SquaresShape, to: Run, more: readonly GPUBuffer[] = []): Promise<Dispatch> {
    const resources = [{ buffer: x }, this.#place(to), ...more.map((buffer) => ({ buffer }))];
    return this.#dispatch(sumSquaresKernel(shape), resources, to.count);
  }

  #dispatch(
    source: KernelSource,
    resources: readonly GPUBindingResource[],
    columns: number,
  ): Promise<Dispatch> {
    const groups = Math.ceil(columns / SUM_COLUMNS);
    return dispatchOf(this.#kernels.compiler, source, resources, () => [groups, 1, 1]);
  }

  #place({ first, count }: Run): GPUBufferBinding {
    return { buffer: this.sums, offset: 4 * first, size: 4 * count };
  }
}
