import type { CacheForm, PlmConfig } from '../../src/core/config.ts';
import { unsupported } from '../../src/core/errors.ts';
import { PRESETS } from '../../src/passes/presets.ts';

/** Passes of the preset of a cache form that a model still needs, by name. */
export function onnxPasses({ config }: { readonly config: PlmConfig }, cache: CacheForm): string[] {
  const needs = { 'absorb-mla': config.kvBForm === undefined, 'join-kv-b': config.kvBForm === 'split' };
  return PRESETS[`onnx, ${cache} cache`].filter((name) => needs[name]);
}

/** A table of 32 pairs per position has 268 MB then. */
const MAX_POSITIONS = 2 ** 20;

/**
 * @throws PressError unsupported with the reason where a graph with that cache cannot hold a model as it is.
 */
export function assertHolds(cache: CacheForm, config: PlmConfig): void {
  const refuse = (what: string, field = 'kv_b_proj') =>
    unsupported({ field, what: `a graph with ${cache} cache ${what}` });
  if (config.maxPositionEmbeddings > MAX_POSITIONS) {
    throw refuse(`has a table of at most ${MAX_POSITIONS} positions`, 'max_position_embeddings');
  }
  if (cache === 'latent' && config.kvBForm === undefined) {
    throw refuse('stores its two parts; run the pass absorb-mla first');
  }
  if (cache === 'expanded' && config.kvBForm !== undefined) {
    const hint = config.kvBForm === 'split' ? 'run the pass join-kv-b first' : 'leave out absorb-mla';
    throw refuse(`stores it as one matrix, and this model is ${config.kvBForm}; ${hint}`);
  }
}
