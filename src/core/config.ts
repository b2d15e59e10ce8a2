/**
 * Geometry of a PLM (arXiv 2503.12167), in the terms of config.json. Always complete: importers fill the
 * documented defaults.
 */
export interface PlmConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  /** FFN width of each layer; all equal in published checkpoints. */
  readonly intermediateSizes: readonly number[];
  readonly kvLoraRank: number;
  /** Rank of the query bottleneck; undefined where q_proj is a full matrix, as in PLM-1.8B. */
  readonly qLoraRank: number | undefined;
  readonly qkNopeHeadDim: number;
  readonly qkRopeHeadDim: number;
  readonly vHeadDim: number;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  /** True: dimensions (2i, 2i+1) rotate together; false: (i, i + d/2). */
  readonly ropeInterleave: boolean;
  readonly maxPositionEmbeddings: number;
  readonly tieWordEmbeddings: boolean;
  /** Left out: kv_b_proj, as in checkpoints. */
  readonly kvBForm?: KvBForm;
  /** down_proj adds a bias, as prune-ffn may leave one. Left out: none, as in checkpoints. */
  readonly ffnBias?: true;
}

/**
 * The tensors in place of kv_b_proj. `split`: k_b_proj (W_UK, transposed) and v_b_proj (W_UV), one matrix per
 * head. `premultiplied`: none; W_UK^T is a factor of the query projection and W_UV one of o_proj.
 */
export const KV_B_FORMS = ['split', 'premultiplied'] as const;

export type KvBForm = (typeof KV_B_FORMS)[number];

/** Width of one query or key head: nope + rope. Softmax divides by its root in every form. */
export function qkHeadDim(config: PlmConfig): number {
  return config.qkNopeHeadDim + config.qkRopeHeadDim;
}

/**
 * Elements of a projected query head before its rope part: nope, or kv_lora_rank where W_UK^T is a factor of
 * it.
 */
export function queryNopeDim(config: PlmConfig): number {
  return config.kvBForm === 'premultiplied' ? config.kvLoraRank : config.qkNopeHeadDim;
}

/** Elements of a head that o_proj reads: v, or kv_lora_rank where W_UV is a factor of o_proj. */
export function attendedHeadDim(config: PlmConfig): number {
  return config.kvBForm === 'premultiplied' ? config.kvLoraRank : config.vHeadDim;
}

/** The content of a KV cache: keys and values of every head, or c' and k_pe, from which both follow. */
export const CACHE_FORMS = ['latent', 'expanded'] as const;

export type CacheForm = (typeof CACHE_FORMS)[number];

/** KV-cache elements per token. */
export function kvCacheElements(config: PlmConfig, form: CacheForm): number {
  const perLayer =
    form === 'latent'
      ? config.kvLoraRank + config.qkRopeHeadDim
      : config.numAttentionHeads * (qkHeadDim(config) + config.vHeadDim);
  return perLayer * config.numHiddenLayers;
}

const F16_BYTES = 2;

/** Bytes of KV cache per token, in f16 as runtimes keep it. */
export function kvCacheBytesPerToken(config: PlmConfig, form: CacheForm): number {
  return F16_BYTES * kvCacheElements(config, form);
}
