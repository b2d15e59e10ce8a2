import type { PlmConfig } from '../../src/core/config.ts';
import { type PressError, unsupported } from '../../src/core/errors.ts';
import { PRESETS } from '../../src/passes/presets.ts';

/**
 * The architectures of llama.cpp that a PLM is written as. `plm` is its own; `deepseek2` holds the same model
 * with a latent KV cache, runs with flash attention, and stores the FFN twice (see swiglu.ts).
 */
export const GGUF_ARCHITECTURES = ['plm', 'deepseek2'] as const;

export type GgufArchitecture = (typeof GGUF_ARCHITECTURES)[number];

/** LLAMA_MAX_LAYERS of llama.cpp. */
const MAX_LAYERS = 512;
/**
 * By their numbers of layers llama.cpp takes these for DeepSeek-V2-Lite and others, which hold their queries
 * otherwise.
 */
const FOREIGN_LAYERS: readonly number[] = [26, 27];

/** Passes of the preset of an architecture that a model still needs, by name. */
export function ggufPasses(
  { config }: { readonly config: PlmConfig },
  arch: GgufArchitecture = 'plm',
): string[] {
  const needs = {
    'permute-rope': !config.ropeInterleave,
    'absorb-mla': config.kvBForm === undefined,
    'join-kv-b': config.kvBForm === 'split',
  };
  return PRESETS[`gguf, arch ${arch}`].filter((name) => needs[name]);
}

/** @throws PressError unsupported with the reason where `arch` cannot hold a model as it is. */
export function assertHolds(arch: GgufArchitecture, config: PlmConfig): void {
  const refuse = (field: string, what: string): PressError =>
    unsupported({ field, what: `GGUF arch ${arch} ${what}` });
  // llama.cpp's deepseek2 could hold the first two; none of its files with them has been tried here.
  const has = arch === 'plm' ? 'has' : 'as written here has';
  if (!config.tieWordEmbeddings) {
    const hint = '--pass dedupe-tensors ties a head that equals the embedding';
    throw refuse('tie_word_embeddings', `${has} no output matrix of its own; ${hint}`);
  }
  if (config.qLoraRank !== undefined) throw refuse('q_lora_rank', `${has} no low-rank query projection`);
  if (config.ffnBias) throw refuse('down_proj_bias', 'has no place for a bias of down_proj');
  if (new Set(config.intermediateSizes).size > 1) {
    throw refuse('intermediate_size', 'has one FFN width for all layers');
  }
  if (config.kvBForm === 'premultiplied') {
    throw refuse(
      'kv_b_proj',
      'stores it, but this model has it in other matrices; leave out absorb-mla:form=premultiplied',
    );
  }
  const layers = config.numHiddenLayers;
  if (layers > MAX_LAYERS) throw refuse('num_hidden_layers', `has at most ${MAX_LAYERS} layers`);
  if (arch === 'deepseek2' && FOREIGN_LAYERS.includes(layers)) {
    throw refuse('num_hidden_layers', `with ${layers} layers is another model to llama.cpp`);
  }
  const [missing] = ggufPasses({ config }, arch);
  if (missing === 'permute-rope') {
    throw refuse('rope_interleave', `rotates pairs (2i, 2i + 1); run the pass ${missing} first`);
  }
  if (missing === 'absorb-mla')
    throw refuse('kv_b_proj', `stores its two parts; run the pass ${missing} first`);
  if (missing === 'join-kv-b')
    throw refuse('kv_b_proj', `stores it as one matrix; run the pass ${missing} first`);
}
