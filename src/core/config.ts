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
  /**
   * `split`: k_b_proj (W_UK, transposed) and v_b_proj (W_UV), one matrix a head, stand in place of kv_b_proj.
   * Left out: kv_b_proj, as in checkpoints.
   */
  readonly kvBForm?: 'split';
  /** down_proj adds a bias, as prune-ffn may leave one. Left out: none, as in checkpoints. */
  readonly ffnBias?: true;
}

/** Width of one query or key head: nope + rope. */
export function qkHeadDim(config: PlmConfig): number {
  return config.qkNopeHeadDim + config.qkRopeHeadDim;
}

/** What a KV cache holds: keys and values of every head, or c' and k_pe, from which both follow. */
export type CacheForm = 'expanded' | 'latent';

/** KV-cache elements a token. */
export function kvCacheElements(config: PlmConfig, form: CacheForm): number {
  const perLayer =
    form === 'latent'
      ? config.kvLoraRank + config.qkRopeHeadDim
      : config.numAttentionHeads * (qkHeadDim(config) + config.vHeadDim);
  return perLayer * config.numHiddenLayers;
}

const F16_BYTES = 2;

/** Bytes of KV cache a token, in f16 as runtimes keep it. */
export function kvCacheBytesPerToken(config: PlmConfig, form: CacheForm): number {
  return F16_BYTES * kvCacheElements(config, form);
}
