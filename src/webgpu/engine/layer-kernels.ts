import type { BundleModel } from '../manifest.ts';
import { BLOCK } from '../planes.ts';
import { COPY_DST, COPY_SRC, STORAGE } from './buffer-usage.ts';
import type { DeviceMatrix, MatrixSlice } from './device-weights.ts';
import { type Dispatch, dispatchOf } from './dispatch.ts';
import { KernelCompiler } from './kernel.ts';
import type { LayerWatch } from './layer-watch.ts';
import { keyOffset, type LayerWeights, queryRows } from './layer-weights.ts';
import { chooseLanes } from './probe-lanes.ts';
import { ropeTable } from './rope-table.ts';
import {
  type AttentionShape,
  attendKernel,
  cacheWords,
  combineKernel,
  DOWN_COLUMNS,
  downKernel,
  EMBED_COLUMNS,
  embedKernel,
  groupHeads,
  groupRows,
  type Lanes,
  latentKernel,
  latentWords,
  type MatrixShape,
  type Output,
  projectKernel,
} from './shaders.ts';

/** Tokens of a prompt that go through the layers together. */
export const PREFILL_TOKENS = 32;
/** Of those, how many one workgroup multiplies with. */
const TILE_TOKENS = 4;

export interface ContextSize {
  readonly contextLength: number;
  /** Positions of the cache that one workgroup attends to while tokens come one by one. */
  readonly split: number;
}

/** Buffers between kernels. */
export interface Activations {
  /** The residual stream. */
  readonly hidden: GPUBuffer;
  /** What is made of the normed input. */
  readonly projected: GPUBuffer;
  /** Output of q_b_proj; of no use where q_proj is a full matrix. */
  readonly queried: GPUBuffer;
  /** Absorbed queries. */
  readonly queries: GPUBuffer;
  readonly ranges: GPUBuffer;
  readonly attended: GPUBuffer;
  /** Squared ReLU of a batch; of one token, the neurons that fire. */
  readonly activations: GPUBuffer;
  readonly counts: GPUBuffer;
}

/** One token, or a batch of a prompt. */
export type Mode = 'step' | 'prefill';

/** What a layer works with beside its weights. */
export interface LayerPlace {
  readonly mode: Mode;
  readonly cache: GPUBuffer;
  /** Counts the neurons that a token sets off. */
  readonly fired?: GPUBufferBinding;
  readonly watch?: LayerWatch;
}

/** How a matrix is applied: to `x`, normed where there is a `gamma`, into `out`. */
interface Projection {
  readonly x: GPUBuffer;
  readonly xStride: number;
  readonly gamma?: GPUBuffer;
  readonly out: GPUBuffer;
  readonly outStride: number;
  readonly outOffset?: number;
  readonly output: Output;
  readonly fromRow?: true;
  readonly mode: Mode;
}

/**
 * Makes the dispatches of layers, over buffers that all of them share. A token takes 7 a layer: queries with
 * latent; absorption of W_UK and the cache; attention by ranges of the cache; these together with W_UV;
 * o_proj; up_proj with the list of neurons that fire; their rows of down_proj.
 */
export class LayerKernels {
  readonly activations: Activations;
  readonly shape: AttentionShape;
  /** Distance of tokens in the residual stream, in floats. */
  readonly hiddenStride: number;
  /** A buffer to bind where there is nothing. */
  readonly nothing: GPUBuffer;
  readonly compiler: KernelCompiler;
  readonly #device: GPUDevice;
  readonly #model: BundleModel;
  readonly #lanes: Lanes;
  readonly #buffers: GPUBuffer[] = [];
  readonly #rope: GPUBuffer;

  static async create(device: GPUDevice, model: BundleModel, size: ContextSize): Promise<LayerKernels> {
    return new LayerKernels(device, model, size, await chooseLanes(device));
  }

  private constructor(
    device: GPUDevice,
    model: BundleModel,
    { contextLength, split }: ContextSize,
    lanes: Lanes,
  ) {
    this.#device = device;
    this.#model = model;
    this.compiler = new KernelCompiler(device);
    this.shape = attentionShape(model);
    this.hiddenStride = padded(model.hidden_size, BLOCK);
    this.#lanes = lanes;
    const { heads, projectedStride, queriedStride, attendedStride } = this.shape;
    const words = cacheWords(this.shape);
    const widest = Math.max(...model.intermediate_sizes);
    const floats = (label: string, count: number) => this.allocate(label, 4 * count);
    const ranges = Math.max(PREFILL_TOKENS, Math.ceil(contextLength / split));
    this.activations = {
      hidden: floats('hidden', PREFILL_TOKENS * this.hiddenStride),
      projected: floats('projected', PREFILL_TOKENS * projectedStride),
      queried: floats('queried', model.q_lora_rank === null ? 1 : PREFILL_TOKENS * queriedStride),
      queries: floats('queries', PREFILL_TOKENS * heads * 2 * words),
      ranges: floats('ranges', ranges * heads * 2 * (latentWords(this.shape) + 1)),
      attended: floats('attended', PREFILL_TOKENS * attendedStride),
      activations: floats('activations', PREFILL_TOKENS * padded(widest, groupRows(lanes))),
      counts: floats('counts', Math.ceil(widest / groupRows(lanes))),
    };
    this.nothing = floats('nothing', 4);
    this.#rope = floats('rope', contextLength * model.qk_rope_head_dim);
    device.queue.writeBuffer(this.#rope, 0, ropeTable(model, contextLength));
  }

  /** Of all that has been allocated. */
  get sizes(): number[] {
    return this.#buffers.map(({ size }) => size);
  }

  /** A buffer that goes with these kernels. */
  allocate(label: string, bytes: number): GPUBuffer {
    const size = padded(bytes, 16);
    const buffer = this.#device.createBuffer({ label, size, usage: STORAGE | COPY_DST | COPY_SRC });
    this.#buffers.push(buffer);
    return buffer;
  }

  dispose(): void {
    for (const buffer of this.#buffers) buffer.destroy();
  }

  /** From tokens into the residual stream. */
  embed(embedding: DeviceMatrix, ids: GPUBuffer): Promise<Dispatch>[] {
    return embedding.slices.map(({ firstRow, rows, values, scales }) => {
      const source = embedKernel({ ...shapeOf(embedding), firstRow, rows, xStride: this.hiddenStride });
      const resources = [ids, values, scales, this.activations.hidden].map((buffer) => ({ buffer }));
      const groups = Math.ceil(this.hiddenStride / EMBED_COLUMNS);
      return dispatchOf(this.compiler, source, resources, (tokens) => [groups, tokens, 1]);
    });
  }

  /** From the residual stream, normed, to logits. */
  head(head: DeviceMatrix, gamma: GPUBuffer, logits: GPUBuffer, mode: Mode): Promise<Dispatch>[] {
    const projection: Projection = {
      x: this.activations.hidden,
      xStride: this.hiddenStride,
      gamma,
      mode,
      fromRow: true,
      out: logits,
      outStride: this.#model.vocab_size,
      output: 'store',
    };
    return head.slices.map((slice) => this.#project(head, projection, slice));
  }

  layer(weights: LayerWeights, { mode, cache, fired, watch }: LayerPlace): Promise<Dispatch>[] {
    const { hidden, attended, activations } = this.activations;
    const hiddenStride = this.hiddenStride;
    const normed = { x: hidden, xStride: hiddenStride, mode };
    const up = this.#project(weights.upProj, {
      ...normed,
      gamma: weights.ffnNorm,
      out: activations,
      outStride: weights.upProj.rows,
      output: mode === 'step' ? 'compact' : 'squaredRelu',
      ...(fired && { fired }),
    });
    return [
      ...this.#queries(weights, { ...normed, gamma: weights.inputNorm }),
      ...this.#attend(weights, cache),
      ...(watch?.attended ?? []),
      this.#project(weights.oProj, {
        x: attended,
        xStride: this.shape.attendedStride,
        mode,
        out: hidden,
        outStride: hiddenStride,
        output: 'add',
      }),
      up,
      ...(watch?.activated ?? []),
      this.#down(weights.downProj, watch ? undefined : weights.bias, watch?.update ?? hidden, mode),
      ...(watch?.updated ?? []),
    ];
  }

  #queries(
    { inputs, queries }: LayerWeights,
    input: Pick<Projection, 'x' | 'xStride' | 'gamma' | 'mode'>,
  ): Promise<Dispatch>[] {
    const { projected, queried } = this.activations;
    const { projectedStride, queriedStride } = this.shape;
    const output = 'store';
    const dispatches = inputs.map(({ matrix, offset }) =>
      this.#project(matrix, {
        ...input,
        out: projected,
        outStride: projectedStride,
        outOffset: offset,
        output,
      }),
    );
    if (queries === undefined) return dispatches;
    const { mode } = input;
    const second = this.#project(queries.matrix, {
      x: projected,
      xStride: projectedStride,
      gamma: queries.norm,
      mode,
      out: queried,
      outStride: queriedStride,
      output,
    });
    return [...dispatches, second];
  }

  #attend({ latentNorm, kvB, queries: lowRank }: LayerWeights, cache: GPUBuffer): Promise<Dispatch>[] {
    const { projected, queried, queries, ranges, attended } = this.activations;
    const shape = this.shape;
    const { heads } = shape;
    const { values, scales } = kvB.slices[0]!;
    const query = lowRank === undefined ? projected : queried;
    const bind = (buffers: readonly GPUBuffer[]) => buffers.map((buffer) => ({ buffer }));
    return [
      dispatchOf(
        this.compiler,
        latentKernel(shape, shapeOf(kvB)),
        bind([projected, latentNorm, this.#rope, values, scales, queries, cache, query]),
        (tokens) => [heads + 1, tokens, 1],
      ),
      dispatchOf(this.compiler, attendKernel(shape), bind([queries, cache, ranges]), (tokens, splits) => [
        splits,
        tokens,
        Math.ceil(heads / groupHeads(shape)),
      ]),
      dispatchOf(
        this.compiler,
        combineKernel(shape, shapeOf(kvB)),
        bind([ranges, values, scales, attended]),
        (tokens) => [heads, tokens, 1],
      ),
    ];
  }

  #project(
    matrix: DeviceMatrix,
    { x, gamma, out, mode, output, fired, ...rest }: Projection & { readonly fired?: GPUBufferBinding },
    slice: MatrixSlice = matrix.slices[0]!,
  ): Promise<Dispatch> {
    const { rows, firstRow, values, scales } = slice;
    const tokens = mode === 'step' ? 1 : TILE_TOKENS;
    const source = projectKernel({
      ...shapeOf(matrix),
      rows,
      columns: matrix.columns,
      tokens,
      output,
      lanes: this.#lanes,
      xStride: rest.xStride,
      outStride: rest.outStride,
      outOffset: (rest.outOffset ?? 0) + firstRow,
      ...(gamma !== undefined && { epsilon: this.#model.rms_norm_eps }),
      ...(rest.fromRow && { fromRow: rest.fromRow }),
    });
    const buffers = [x, gamma ?? this.nothing, values, scales, out];
    if (fired !== undefined) buffers.push(this.activations.counts);
    const resources: GPUBindingResource[] = buffers.map((buffer) => ({ buffer }));
    if (fired !== undefined) resources.push(fired);
    const groups = Math.ceil(rows / groupRows(this.#lanes));
    return dispatchOf(this.compiler, source, resources, (count) => [groups, Math.ceil(count / tokens), 1]);
  }

  #down(matrix: DeviceMatrix, bias: GPUBuffer | undefined, out: GPUBuffer, mode: Mode): Promise<Dispatch> {
    const { activations, counts } = this.activations;
    const { hidden_size: columns } = this.#model;
    const tokens = mode === 'step' ? 1 : TILE_TOKENS;
    const source = downKernel({
      ...shapeOf(matrix),
      columns,
      tokens,
      hiddenStride: this.hiddenStride,
      bias: bias !== undefined,
      neuronBlock: groupRows(this.#lanes),
      lanes: this.#lanes,
      ...(mode === 'prefill' && { neuronStride: matrix.rows }),
    });
    const { values, scales } = matrix.slices[0]!;
    const buffers = [values, scales, out, bias ?? this.nothing, activations];
    if (mode === 'step') buffers.push(counts);
    const resources = buffers.map((buffer) => ({ buffer }));
    const groups = Math.ceil(columns / DOWN_COLUMNS);
    return dispatchOf(this.compiler, source, resources, (count) => [groups, Math.ceil(count / tokens), 1]);
  }
}

function attentionShape(model: BundleModel): AttentionShape {
  const { num_attention_heads: heads, kv_lora_rank: latent, qk_rope_head_dim: rope } = model;
  const projectedStride = padded(keyOffset(model) + latent + rope, BLOCK);
  return {
    heads,
    latent,
    nope: model.qk_nope_head_dim,
    vDim: model.v_head_dim,
    ropePairs: rope / 2,
    interleaved: model.rope_interleave,
    epsilon: model.rms_norm_eps,
    projectedStride,
    keyOffset: keyOffset(model),
    queriedStride: model.q_lora_rank === null ? projectedStride : queryRows(model),
    attendedStride: padded(heads * model.v_head_dim, BLOCK),
  };
}

function shapeOf({ scheme, rows, blocks }: DeviceMatrix): MatrixShape {
  return { scheme, rows, blocks };
}

function padded(count: number, step: number): number {
  return Math.ceil(count / step) * step;
}
