import type { Model } from '../../../src/core/model.ts';
import { samples } from './generation-config.ts';
import { GRAPH_FOLDER, type GraphFile } from './graph-file.ts';
import { type Json, jsonText } from './json-text.ts';
import { endTokenIds } from './token-ids.ts';

/** Why onnxruntime-genai cannot run a model from this graph; undefined where it can. */
export function genaiObstacle(
  { tokenizer }: Pick<Model, 'tokenizer'>,
  { cache }: Pick<GraphFile, 'cache'>,
): string | undefined {
  // src/models/kv_cache.cpp: shapes come from the key alone.
  if (cache.keyWidth !== cache.valueWidth) {
    const widths = `keys of ${cache.keyWidth} and values of ${cache.valueWidth}`;
    return `onnxruntime-genai caches keys and values of one width; this model has ${widths}`;
  }
  // src/config.cpp: where none is named, token 0 ends a text.
  if (endTokenIds(tokenizer).length === 0) {
    return 'onnxruntime-genai needs a token that ends a text; this model has none';
  }
  return undefined;
}

/**
 * genai_config.json for one graph, of a model without `genaiObstacle`. onnxruntime-genai refuses keys that it
 * does not know (src/config.cpp).
 */
export function genaiConfigText(
  model: Pick<Model, 'config' | 'generation' | 'tokenizer'>,
  graph: GraphFile,
): string {
  const { config, tokenizer } = model;
  const ends = endTokenIds(tokenizer);
  return jsonText({
    model: {
      bos_token_id: tokenizer.bosTokenId,
      context_length: config.maxPositionEmbeddings,
      decoder: {
        session_options: { log_id: 'onnxruntime-genai', provider_options: [] },
        filename: `${GRAPH_FOLDER}/${graph.name}`,
        head_size: graph.cache.keyWidth,
        hidden_size: config.hiddenSize,
        inputs: {
          input_ids: 'input_ids',
          attention_mask: 'attention_mask',
          position_ids: 'position_ids',
          past_key_names: 'past_key_values.%d.key',
          past_value_names: 'past_key_values.%d.value',
        },
        outputs: {
          logits: 'logits',
          present_key_names: 'present.%d.key',
          present_value_names: 'present.%d.value',
        },
        num_attention_heads: config.numAttentionHeads,
        num_hidden_layers: config.numHiddenLayers,
        num_key_value_heads: graph.cache.heads,
      },
      eos_token_id: ends,
      // Left out, token 0 would count as padding.
      pad_token_id: tokenizer.padTokenId ?? ends[0]!,
      type: 'decoder',
      vocab_size: config.vocabSize,
    },
    search: searchFields(model),
  });
}

/** Sampling defaults. min_p is unknown to onnxruntime-genai. */
function searchFields({ config, generation }: Pick<Model, 'config' | 'generation'>): Json {
  const { temperature, topK, topP, repetitionPenalty } = generation;
  return {
    do_sample: samples(generation),
    max_length: config.maxPositionEmbeddings,
    past_present_share_buffer: false,
    repetition_penalty: repetitionPenalty,
    temperature,
    // More than there are tokens is an error.
    top_k: topK === undefined ? undefined : Math.min(topK, config.vocabSize),
    top_p: topP,
  };
}
