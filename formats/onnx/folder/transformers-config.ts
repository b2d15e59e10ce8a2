import type { Model } from '../../../src/core/model.ts';
import type { GraphFile } from './graph-file.ts';
import { type Json, jsonText } from './json-text.ts';
import { geometryFields, PLM_ARCHITECTURE } from './plm-config.ts';
import { tokenIdFields } from './token-ids.ts';

/**
 * transformers.js knows no plm and has no fallback for causal models. Of the types that it knows this is the
 * next of kin: it attends over a latent too, names caches `past_key_values.N.key` and `.value`, and takes
 * their shapes from the graph.
 */
const KNOWN_MODEL_TYPE = 'deepseek_v3';

/**
 * config.json for transformers.js, which takes the first of `graphs` by default. Two fields describe
 * the caches instead of the model: num_key_value_heads and head_dim.
 */
export function transformersConfigText(
  model: Pick<Model, 'config' | 'tokenizer'>,
  graphs: readonly GraphFile[],
): string {
  const { cache } = graphs[0]!;
  return jsonText({
    architectures: [PLM_ARCHITECTURE],
    model_type: KNOWN_MODEL_TYPE,
    plmpress: { true_model_type: 'plm', true_config: 'plm_config.json' },
    ...geometryFields(model.config),
    num_key_value_heads: cache.heads,
    head_dim: cache.keyWidth,
    ...tokenIdFields(model.tokenizer),
    'transformers.js_config': loadingFields(graphs),
  });
}

function loadingFields(graphs: readonly GraphFile[]): Json {
  const { dtype } = graphs[0]!;
  const hasQ8 = graphs.some((graph) => graph.dtype === 'q8');
  const withData = graphs.filter(({ dataFiles }) => dataFiles > 0);
  return {
    dtype,
    // What transformers.js itself takes on WebAssembly; a dtype for all devices would override that.
    ...(hasQ8 && dtype !== 'q8' && { device_config: { wasm: { dtype: 'q8' } } }),
    use_external_data_format: Object.fromEntries(withData.map(({ name, dataFiles }) => [name, dataFiles])),
  };
}
