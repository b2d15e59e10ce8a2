import type { BundleModel } from '../manifest.ts';
import { BLOCK } from '../planes.ts';
import { COPY_DST, COPY_SRC, STORAGE } from './buffer-usage.ts';
import type { DeviceMatrix, DeviceWeights, MatrixSlice } from './device-weights.ts';
import { type BoundDispatch, bindParams, type Dispatch, dispatchOf, encodeDispatches } from './dispatch.ts';
import { KernelCompiler } from './kernel.ts';
import { keyOffset, type LayerWeights, placeLayer, queryRows } from './layer-weights.ts';
import type { Activations, PassWatch, SeenPass } from './pass-watch.ts';
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

export interface PassSize {
  readonly contextLength: number;
  readonly logitRows: number;
  /** Positions of the cache that one workgroup attends to while tokens come one by one. */
  readonly split: number;
}

/** One token, or a batch of a prompt. */
type Mode = 'step' | 'prefill';

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
 * The layers of a PLM as lists of dispatches over static buffers. A token takes 7 a layer: queries with
 * latent; absorption of W_UK and the cache; attention by ranges of the cache; these together with W_UV;
 * o_proj; up_proj with the list of neurons that fire; their rows of down_proj.
 */
export class ForwardPass {
  readonly ids: GPUBuffer;
  readonly logits: GPUBuffer;
  /** One count per layer, 256 bytes apart. */
  readonly fired: GPUBuffer;
  readonly cacheBytes: number;
  readonly #device: GPUDevice;
  readonly #model: BundleModel;
  readonly #weights: DeviceWeights;
  readonly #compiler: KernelCompiler;
  readonly #shape: AttentionShape;
  readonly #lanes: Lanes;
  readonly #watch: PassWatch | undefined;
  readonly #buffers: GPUBuffer[] = [];
  readonly #activations: Activations;
  readonly #rope: GPUBuffer;
  readonly #caches: readonly GPUBuffer[];
  #embed: BoundDispatch[] = [];
  #layers: Readonly<Record<Mode, BoundDispatch[]>> = { step: [], prefill: [] };
  /** Of a watch, what comes after the layers. */
  #end: BoundDispatch[] = [];
  #head: Readonly<Record<Mode, BoundDispatch[]>> = { step: [], prefill: [] };

  /** Dispatches take their params from slots of `params`. */
  static async create(
    device: GPUDevice,
    model: BundleModel,
    weights: DeviceWeights,
    size: PassSize,
    params: GPUBuffer,
    watch?: PassWatch,
  ): Promise<ForwardPass> {
    const lanes = await chooseLanes(device);
    const pass = new ForwardPass(device, model, weights, { ...size, lanes }, watch);
    await pass.#compile(params);
    return pass;
  }

  private constructor(
    device: GPUDevice,
    model: BundleModel,
    weights: DeviceWeights,
    size: PassSize & { readonly lanes: Lanes },
    watch: PassWatch | undefined,
  ) {
    this.#device = device;
    this.#watch = watch;
    this.#model = model;
    this.#weights = weights;
    this.#compiler = new KernelCompiler(device);
    this.#shape = attentionShape(model);
    this.#lanes = size.lanes;
    const { contextLength, logitRows, split } = size;
    const { heads, projectedStride, queriedStride, attendedStride } = this.#shape;
    const words = cacheWords(this.#shape);
    const widest = Math.max(...model.intermediate_sizes);
    const floats = (label: string, count: number) => this.#allocate(label, 4 * count);
    const ranges = Math.max(PREFILL_TOKENS, Math.ceil(contextLength / split));
    this.#activations = {
      hidden: floats('hidden', PREFILL_TOKENS * this.#hiddenStride),
      projected: floats('projected', PREFILL_TOKENS * projectedStride),
      queried: floats('queried', model.q_lora_rank === null ? 1 : PREFILL_TOKENS * queriedStride),
      queries: floats('queries', PREFILL_TOKENS * heads * 2 * words),
      ranges: floats('ranges', ranges * heads * 2 * (latentWords(this.#shape) + 1)),
      attended: floats('attended', PREFILL_TOKENS * attendedStride),
      activations: floats('activations', PREFILL_TOKENS * padded(widest, groupRows(this.#lanes))),
      counts: floats('counts', Math.ceil(widest / groupRows(this.#lanes))),
    };
    this.ids = floats('ids', contextLength + 1);
    this.logits = floats('logits', logitRows * model.vocab_size);
    this.fired = floats('fired', 64 * model.intermediate_sizes.length);
    this.#rope = floats('rope', contextLength * model.qk_rope_head_dim);
    this.#caches = model.intermediate_sizes.map((_, layer) =>
      floats(`cache of layer ${layer}`, contextLength * words),
    );
    this.cacheBytes = 4 * contextLength * words * this.#caches.length;
    device.queue.writeBuffer(this.#rope, 0, ropeTable(model, contextLength));
  }

  get workingBytes(): number {
    return this.#buffers.reduce((sum, { size }) => sum + size, 0) - this.cacheBytes;
  }

  get largestBinding(): number {
    return this.#buffers.reduce((most, { size }) => Math.max(most, size), 0);
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
    const mode = tokens === 1 && this.#watch === undefined ? 'step' : 'prefill';
    encodeDispatches(encoder, this.#layers[mode], slot, tokens, splits);
    encodeDispatches(encoder, this.#end, slot, tokens);
  }

  /** Logits of `tokens` rows of the residual stream from the one on that the params name. */
  encodeLogits(encoder: GPUComputePassEncoder, slot: number, tokens: number): void {
    encodeDispatches(encoder, this.#head[tokens === 1 ? 'step' : 'prefill'], slot, tokens);
  }

  dispose(): void {
    for (const buffer of this.#buffers) buffer.destroy();
  }

  async #compile(params: GPUBuffer): Promise<void> {
    const { tie_word_embeddings: tied, intermediate_sizes: widths } = this.#model;
    const embedding = this.#weights.matrix('model.embed_tokens.weight');
    const norm = this.#weights.vector('model.norm.weight');
    const layers = widths.map((_, layer) => placeLayer(this.#weights, this.#model, layer));
    const bound = async (dispatches: readonly Promise<Dispatch>[]) =>
      bindParams(this.#device, await Promise.all(dispatches), params);
    const layersIn = (mode: Mode) =>
      bound(layers.flatMap((weights, layer) => this.#layer(weights, layer, mode)));
    this.#embed = await bound(embedding.slices.map((slice) => this.#lookUp(embedding, slice)));
    if (this.#watch !== undefined) {
      this.#layers = { step: [], prefill: await layersIn('prefill') };
      this.#end = await bound(this.#watch.end(this.#seen, norm));
      return;
    }
    const head = tied ? embedding : this.#weights.matrix('lm_head.weight');
    const headIn = (mode: Mode) =>
      bound(head.slices.map((slice) => this.#project(head, this.#headProjection(norm, mode), slice)));
    this.#layers = { step: await layersIn('step'), prefill: await layersIn('prefill') };
    this.#head = { step: await headIn('step'), prefill: await headIn('prefill') };
  }

  #layer(weights: LayerWeights, layer: number, mode: Mode): Promise<Dispatch>[] {
    const { hidden, attended, activations } = this.#activations;
    const hiddenStride = this.#hiddenStride;
    const watched = this.#watch?.layer({ ...this.#seen, layer, weights });
    const normed = { x: hidden, xStride: hiddenStride, mode };
    const up = this.#project(weights.upProj, {
      ...normed,
      gamma: weights.ffnNorm,
      out: activations,
      outStride: weights.upProj.rows,
      output: mode === 'step' ? 'compact' : 'squaredRelu',
      ...(mode === 'step' && { fired: { buffer: this.fired, offset: 256 * layer, size: 4 } }),
    });
    return [
      ...this.#queries(weights, { ...normed, gamma: weights.inputNorm }),
      ...this.#attend(weights, this.#caches[layer]!),
      ...(watched?.attended ?? []),
      this.#project(weights.oProj, {
        x: attended,
        xStride: this.#shape.attendedStride,
        mode,
        out: hidden,
        outStride: hiddenStride,
        output: 'add',
      }),
      up,
      ...(watched?.activated ?? []),
      this.#down(weights.downProj, watched ? undefined : weights.bias, watched?.update ?? hidden, mode),
      ...(watched?.updated ?? []),
    ];
  }

  #queries(
    { inputs, queries }: LayerWeights,
    input: Pick<Projection, 'x' | 'xStride' | 'gamma' | 'mode'>,
  ): Promise<Dispatch>[] {
    const { projected, queried } = this.#activations;
    const { projectedStride, queriedStride } = this.#shape;
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
    const { projected, queried, queries, ranges, attended } = this.#activations;
    const shape = this.#shape;
    const { heads } = shape;
    const { values, scales } = kvB.slices[0]!;
    const query = lowRank === undefined ? projected : queried;
    const bind = (buffers: readonly GPUBuffer[]) => buffers.map((buffer) => ({ buffer }));
    return [
      dispatchOf(
        this.#compiler,
        latentKernel(shape, shapeOf(kvB)),
        bind([projected, latentNorm, this.#rope, values, scales, queries, cache, query]),
        (tokens) => [heads + 1, tokens, 1],
      ),
      dispatchOf(this.#compiler, attendKernel(shape), bind([queries, cache, ranges]), (tokens, splits) => [
        splits,
        tokens,
        Math.ceil(heads / groupHeads(shape)),
      ]),
      dispatchOf(
        this.#compiler,
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
    const buffers = [x, gamma ?? this.#weights.nothing, values, scales, out];
    if (fired !== undefined) buffers.push(this.#activations.counts);
    const resources: GPUBindingResource[] = buffers.map((buffer) => ({ buffer }));
    if (fired !== undefined) resources.push(fired);
    const groups = Math.ceil(rows / groupRows(this.#lanes));
    return dispatchOf(this.#compiler, source, resources, (count) => [groups, Math.ceil(count / tokens), 1]);
  }

  #down(matrix: DeviceMatrix, bias: GPUBuffer | undefined, out: GPUBuffer, mode: Mode): Promise<Dispatch> {
    const { activations, counts } = this.#activations;
    const { hidden_size: columns } = this.#model;
    const tokens = mode === 'step' ? 1 : TILE_TOKENS;
    const source = downKernel({
      ...shapeOf(matrix),
      columns,
      tokens,
      hiddenStride: this.#hiddenStride,
      bias: bias !== undefined,
      neuronBlock: groupRows(this.#lanes),
      lanes: this.#lanes,
      ...(mode === 'prefill' && { neuronStride: matrix.rows }),
    });
    const { values, scales } = matrix.slices[0]!;
    const buffers = [values, scales, out, bias ?? this.#weights.nothing, activations];
    if (mode === 'step') buffers.push(counts);
    const resources = buffers.map((buffer) => ({ buffer }));
    const groups = Math.ceil(columns / DOWN_COLUMNS);
    return dispatchOf(this.#compiler, source, resources, (count) => [groups, Math.ceil(count / tokens), 1]);
  }

  #lookUp(matrix: DeviceMatrix, { firstRow, rows, values, scales }: MatrixSlice): Promise<Dispatch> {
    const source = embedKernel({ ...shapeOf(matrix), firstRow, rows, xStride: this.#hiddenStride });
    const resources = [this.ids, values, scales, this.#activations.hidden].map((buffer) => ({ buffer }));
    const groups = Math.ceil(this.#hiddenStride / EMBED_COLUMNS);
    return dispatchOf(this.#compiler, source, resources, (tokens) => [groups, tokens, 1]);
  }

  #headProjection(gamma: GPUBuffer, mode: Mode): Projection {
    return {
      x: this.#activations.hidden,
      xStride: this.#hiddenStride,
      gamma,
      mode,
      fromRow: true,
      out: this.logits,
      outStride: this.#model.vocab_size,
      output: 'store',
    };
  }

  get #seen(): SeenPass {
    return { activations: this.#activations, hiddenStride: this.#hiddenStride, shape: this.#shape };
  }

  get #hiddenStride(): number {
    return padded(this.#model.hidden_size, BLOCK);
  }

  #allocate(label: string, bytes: number): GPUBuffer {
    const size = padded(bytes, 16);
    const buffer = this.#device.createBuffer({ label, size, usage: STORAGE | COPY_DST | COPY_SRC });
    this.#buffers.push(buffer);
    return buffer;
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
