import { COPY_SRC, STORAGE } from '../engine/buffer-usage.ts';
import { type Dispatch, dispatchOf } from '../engine/dispatch.ts';
import { KernelCompiler, type KernelSource } from '../engine/kernel.ts';
import type { LayerWatch, PassWatch, SeenLayer, SeenPass } from '../engine/pass-watch.ts';
import { latentWords } from '../engine/shaders.ts';
import type { BundleModel } from '../manifest.ts';
import { BLOCK } from '../planes.ts';
import { type LayerSums, type Run, type SumPlaces, sumPlaces } from './sum-places.ts';
import {
  addUpdateKernel,
  normFactorsKernel,
  type SquaresShape,
  SUM_COLUMNS,
  sumFiringsKernel,
  sumSquaresKernel,
  type VectorsShape,
} from './sum-shaders.ts';

/**
 * Sums up what the matrices of a model are multiplied with, over the tokens of one batch in f32: 32 terms at
 * most, so that a sum of squares is off by no more than 2e-6 of itself.
 */
export class SumWatch implements PassWatch {
  readonly places: SumPlaces;
  readonly sums: GPUBuffer;
  readonly #model: BundleModel;
  readonly #compiler: KernelCompiler;
  /** 1 / rms by token. */
  readonly #factors: GPUBuffer;
  /** What down_proj gives; zeros between two layers. */
  readonly #update: GPUBuffer;
  readonly #nothing: GPUBuffer;

  constructor(device: GPUDevice, model: BundleModel, tokens: number) {
    const floats = (label: string, count: number, usage = STORAGE) =>
      device.createBuffer({ label, size: 4 * count, usage });
    this.places = sumPlaces(model);
    this.#model = model;
    this.#compiler = new KernelCompiler(device);
    this.sums = floats('sums', this.places.words, STORAGE | COPY_SRC);
    this.#factors = floats('norm factors', tokens);
    this.#update = floats('update', tokens * Math.ceil(model.hidden_size / BLOCK) * BLOCK);
    this.#nothing = floats('no bias', 4);
  }

  layer(seen: SeenLayer): LayerWatch {
    const { weights, activations, layer, hiddenStride } = seen;
    const sums = this.places.layers[layer]!;
    const columns = this.#model.hidden_size;
    const normed = { columns, stride: hiddenStride };
    const neurons = { columns: sums.activations.count, stride: weights.upProj.rows };
    const { bias = this.#nothing } = weights;
    return {
      attended: [
        ...this.#normedSquares(activations.hidden, normed, weights.inputNorm, sums.input),
        ...this.#attention(seen, sums),
      ],
      activated: [
        ...this.#normedSquares(activations.hidden, normed, weights.ffnNorm, sums.ffn),
        this.#squares(activations.activations, { ...neurons, scale: 'none' }, sums.activations),
        this.#dispatch(
          sumFiringsKernel(neurons),
          [{ buffer: activations.activations }, this.#place(sums.activationSums), this.#place(sums.fired)],
          neurons.columns,
        ),
      ],
      update: this.#update,
      updated: [
        this.#dispatch(
          addUpdateKernel(normed, weights.bias !== undefined),
          [
            { buffer: this.#update },
            this.#place(sums.ffnOutput),
            ...[activations.hidden, bias].map((buffer) => ({ buffer })),
          ],
          columns,
        ),
      ],
    };
  }

  end({ activations, hiddenStride }: SeenPass, gamma: GPUBuffer): Promise<Dispatch>[] {
    const shape = { columns: this.#model.hidden_size, stride: hiddenStride };
    return this.#normedSquares(activations.hidden, shape, gamma, this.places.head);
  }

  dispose(): void {
    for (const buffer of [this.sums, this.#factors, this.#update, this.#nothing]) buffer.destroy();
  }

  #attention({ weights, activations, shape }: SeenLayer, sums: LayerSums): Promise<Dispatch>[] {
    const { heads, nope, latent, vDim, ropePairs, projectedStride, attendedStride, keyOffset } = shape;
    const { projected, queried, ranges, attended } = activations;
    const words = latentWords(shape);
    const rangeStride = 2 * (words + 1);
    return [
      ...this.#normedSquares(
        projected,
        { columns: latent, stride: projectedStride, offset: keyOffset },
        weights.latentNorm,
        sums.latent,
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
        sums.query,
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
        sums.context,
      ),
      this.#squares(
        attended,
        { columns: heads * vDim, stride: attendedStride, scale: 'none' },
        sums.attended,
      ),
    ];
  }

  #normedSquares(x: GPUBuffer, shape: VectorsShape, gamma: GPUBuffer, to: Run): Promise<Dispatch>[] {
    const factors = dispatchOf(
      this.#compiler,
      normFactorsKernel(shape, this.#model.rms_norm_eps),
      [{ buffer: x }, { buffer: this.#factors }],
      (tokens) => [tokens, 1, 1],
    );
    return [factors, this.#squares(x, { ...shape, scale: 'norm' }, to, [gamma, this.#factors])];
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
    return dispatchOf(this.#compiler, source, resources, () => [Math.ceil(columns / SUM_COLUMNS), 1, 1]);
  }

  #place({ first, count }: Run): GPUBufferBinding {
    return { buffer: this.sums, offset: 4 * first, size: 4 * count };
  }
}
