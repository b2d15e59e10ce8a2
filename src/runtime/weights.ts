import type { PlmConfig } from '../core/config.ts';
import { invalidInput } from '../core/errors.ts';
import type { Model } from '../core/model.ts';
import { type LayerRole, layerTensorName, modelTensorName } from '../core/names.ts';
import { SCHEMES, transposedScheme } from '../core/scheme.ts';
import { byteLength, columnCount, type Layout, rowBytes, rowCount, type Tensor } from '../core/tensor.ts';
import type { Pointer } from '../kernels/memory.ts';
import { type Allocator, AreaCounter, allocFloats } from './allocator.ts';
import type { Vectors } from './batch.ts';
import type { Matrix, Norm } from './operations.ts';

/** A full query projection, or one through a bottleneck of rank q_lora_rank. */
export type QueryWeights =
  | { readonly qProj: Matrix }
  | { readonly qAProj: Matrix; readonly qALayernorm: Norm; readonly qBProj: Matrix };

export interface LayerWeights {
  readonly inputLayernorm: Norm;
  readonly query: QueryWeights;
  readonly kvAProj: Matrix;
  readonly kvALayernorm: Norm;
  /** Undefined where queries and o_proj are premultiplied with it. */
  readonly kvB: KvBWeights | undefined;
  readonly oProj: Matrix;
  readonly postAttentionLayernorm: Norm;
  readonly upProj: Matrix;
  readonly downProj: DownProj;
  /** One vector for all tokens, decoded; undefined where down_proj adds none. */
  readonly downProjBias: Vectors | undefined;
}

/**
 * How down_proj is held and applied: as it is stored, to all activations; or transposed, one row per neuron,
 * to those that are not zero, so that a token reads the rows of neurons that fire and no others.
 */
export type FfnForm = 'dense' | 'sparse';

/** For the form `dense` and for `sparse`; the latter in its `transposedScheme`. */
export type DownProj = { readonly stored: Matrix } | { readonly byNeuron: Matrix };

/** kv_b_proj by the head. */
export interface KvBWeights {
  /** W_UK, one matrix per head: the first nope rows of its group in kv_b_proj, or k_b_proj, its transpose. */
  readonly kB: Matrix;
  readonly kBTransposed: boolean;
  /** W_UV, one matrix per head: the v rows that follow. */
  readonly vB: Matrix;
}

/** The memory for a tensor: as it is stored, decoded to f32, or transposed into its `transposedScheme`. */
export interface Placement {
  readonly tensor: Tensor;
  readonly pointer: Pointer;
  readonly form: 'stored' | 'decoded' | 'transposed';
}

/** All weights of a PLM with their places in the shared memory. `loadWeights` brings the bytes. */
export interface PlmWeights {
  readonly embedTokens: Matrix;
  readonly layers: readonly LayerWeights[];
  readonly norm: Norm;
  /** embed_tokens itself where the embeddings are tied. */
  readonly lmHead: Matrix;
  /** What stays in memory. */
  readonly placements: readonly Placement[];
  /** By layer, what must be loaded each time before it runs; nothing for a layer that stays in memory. */
  readonly layerPlacements: readonly (readonly Placement[])[];
}

/**
 * Finds room for every weight; layers from number `residentLayers` on share the room of one. A scheme without
 * decoder is `unsupported`.
 */
export function placeWeights(
  model: Model,
  ffn: FfnForm,
  residentLayers: number,
  allocator: Allocator,
): PlmWeights {
  const { config } = model;
  const placer = new Placer(model, allocator);
  const embedTokens = placer.matrix(modelTensorName('embed_tokens'));
  const resident = Array.from({ length: residentLayers }, (_, layer) =>
    placeLayer(config, placer, layer, ffn),
  );
  const passing = placePassingLayers(model, ffn, residentLayers, 0, allocator);
  return {
    embedTokens,
    layers: [...resident, ...passing.layers],
    norm: placer.norm(modelTensorName('norm')),
    lmHead: config.tieWordEmbeddings ? embedTokens : placer.matrix(modelTensorName('lm_head')),
    placements: placer.placements,
    layerPlacements: [...resident.map(() => []), ...passing.placements],
  };
}

/** Layers that are in memory one at a time. */
export interface PassingLayers {
  /** Where each of them begins. */
  readonly area: Pointer;
  readonly layers: readonly LayerWeights[];
  readonly placements: readonly (readonly Placement[])[];
}

/** Finds one room, of `leastBytes` at least, for the layers from number `first` on. */
export function placePassingLayers(
  model: Model,
  ffn: FfnForm,
  first: number,
  leastBytes: number,
  allocator: Allocator,
): PassingLayers {
  const { config } = model;
  const layersAt = (pointer: Pointer) =>
    config.intermediateSizes.slice(first).map((_, index) => {
      const counter = new AreaCounter(pointer);
      const placer = new Placer(model, counter);
      const weights = placeLayer(config, placer, first + index, ffn);
      return { weights, placements: placer.placements, bytes: counter.bytes };
    });
  const area = allocator.alloc(Math.max(leastBytes, ...layersAt(0).map(({ bytes }) => bytes)));
  const layers = layersAt(area);
  return {
    area,
    layers: layers.map(({ weights }) => weights),
    placements: layers.map(({ placements }) => placements),
  };
}

/** Finds room for the weights of one layer. */
export function placeLayer(config: PlmConfig, placer: Placer, layer: number, ffn: FfnForm): LayerWeights {
  const matrix = (role: LayerRole) => placer.matrix(layerTensorName(role, layer));
  const norm = (role: LayerRole) => placer.norm(layerTensorName(role, layer));
  return {
    inputLayernorm: norm('input_layernorm'),
    query:
      config.qLoraRank === undefined
        ? { qProj: matrix('q_proj') }
        : { qAProj: matrix('q_a_proj'), qALayernorm: norm('q_a_layernorm'), qBProj: matrix('q_b_proj') },
    kvAProj: matrix('kv_a_proj_with_mqa'),
    kvALayernorm: norm('kv_a_layernorm'),
    kvB: placeKvB(config, matrix),
    oProj: matrix('o_proj'),
    postAttentionLayernorm: norm('post_attention_layernorm'),
    upProj: matrix('up_proj'),
    downProj:
      ffn === 'dense'
        ? { stored: matrix('down_proj') }
        : { byNeuron: placer.transposed(layerTensorName('down_proj', layer)) },
    downProjBias: config.ffnBias && {
      pointer: placer.vector(layerTensorName('down_proj_bias', layer)),
      stride: 0,
    },
  };
}

function placeKvB(config: PlmConfig, matrix: (role: LayerRole) => Matrix): KvBWeights | undefined {
  const { numAttentionHeads: heads, kvLoraRank, vHeadDim, kvBForm } = config;
  if (kvBForm === undefined) return splitHeads(config, matrix('kv_b_proj'));
  if (kvBForm === 'premultiplied') return undefined;
  return {
    kB: byHead(matrix('k_b_proj'), heads, kvLoraRank),
    kBTransposed: true,
    vB: byHead(matrix('v_b_proj'), heads, vHeadDim),
  };
}

function byHead(matrix: Matrix, heads: number, rows: number): Matrix {
  return { ...matrix, rows, batch: heads, weightsBatchBytes: rows * matrix.rowBytes };
}

/** Rows of kv_b_proj are grouped by head: nope rows of W_UK, then v rows of W_UV. */
function splitHeads(config: PlmConfig, kvBProj: Matrix): KvBWeights {
  const { numAttentionHeads: batch, qkNopeHeadDim: nope, vHeadDim } = config;
  const heads = { ...kvBProj, batch, weightsBatchBytes: (nope + vHeadDim) * kvBProj.rowBytes };
  return {
    kB: { ...heads, rows: nope },
    kBTransposed: false,
    vB: { ...heads, rows: vHeadDim, weights: kvBProj.weights + nope * kvBProj.rowBytes },
  };
}

/** A matrix whose rows lie from `pointer` on. */
export function matrixAt(pointer: Pointer, layout: Layout): Matrix {
  return {
    weights: pointer,
    scheme: SCHEMES[layout.scheme].ggmlType,
    rowBytes: rowBytes(layout),
    rows: rowCount(layout),
    columns: columnCount(layout),
    batch: 1,
    weightsBatchBytes: 0,
  };
}

/** Finds room for weights one by one, and keeps their placements. */
export class Placer {
  readonly placements: Placement[] = [];
  readonly #model: Model;
  readonly #allocator: Allocator;

  constructor(model: Model, allocator: Allocator) {
    this.#model = model;
    this.#allocator = allocator;
  }

  matrix(name: string): Matrix {
    const tensor = this.#tensor(name);
    const matrix = this.#alloc(tensor);
    this.placements.push({ tensor, pointer: matrix.weights, form: 'stored' });
    return matrix;
  }

  transposed(name: string): Matrix {
    const tensor = this.#tensor(name);
    const matrix = this.#alloc({
      scheme: transposedScheme(tensor.scheme),
      shape: [columnCount(tensor), rowCount(tensor)],
    });
    this.placements.push({ tensor, pointer: matrix.weights, form: 'transposed' });
    return matrix;
  }

  vector(name: string): Pointer {
    const tensor = this.#tensor(name);
    const pointer = allocFloats(this.#allocator, columnCount(tensor));
    this.placements.push({ tensor, pointer, form: 'decoded' });
    return pointer;
  }

  norm(name: string): Norm {
    const gamma = this.vector(name);
    return { gamma, columns: columnCount(this.#tensor(name)), epsilon: this.#model.config.rmsNormEps };
  }

  #alloc(layout: Layout): Matrix {
    return matrixAt(this.#allocator.alloc(byteLength(layout)), layout);
  }

  #tensor(name: string): Tensor {
    const tensor = this.#model.tensors.get(name);
    if (tensor === undefined) throw invalidInput({ field: name, what: 'tensor is missing' });
    return tensor;
  }
}
