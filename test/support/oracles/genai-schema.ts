/**
 * What onnxruntime-genai accepts as genai_config.json of a language model: its src/config.cpp (commit
 * a0c04eb1), which throws on members that it does not know and on values of other types, null included.
 */
type Schema =
  | 'string'
  | 'int32'
  | 'number'
  | 'bool'
  | { readonly items: Schema }
  | { readonly members: Readonly<Record<string, readonly Schema[]>>; readonly others?: Schema };

const fields = (type: Schema, names: string): Record<string, readonly Schema[]> =>
  Object.fromEntries(names.split(' ').map((name) => [name, [type]]));

/**
 * SessionOptions_Element; members that it does not know become entries of the session, whose values are
 * texts.
 */
const SESSION_OPTIONS: Schema = {
  members: {
    ...fields('string', 'log_id enable_profiling graph_optimization_level custom_ops_library'),
    ...fields('int32', 'intra_op_num_threads inter_op_num_threads log_severity_level log_verbosity_level'),
    ...fields('bool', 'enable_cpu_mem_arena enable_mem_pattern'),
    provider_options: [{ items: { members: {}, others: { members: {}, others: 'string' } } }],
  },
  others: 'string',
};

/** DecoderInputs_Element and DecoderOutputs_Element, as far as a decoder alone has them. */
const INPUTS: Schema = {
  members: fields(
    'string',
    'input_ids inputs_embeds attention_mask position_ids past_key_names past_value_names past_names ' +
      'past_sequence_length current_sequence_length total_sequence_length',
  ),
};
const OUTPUTS: Schema = {
  members: fields('string', 'logits present_key_names present_value_names present_names hidden_states'),
};

/** Decoder_Element */
const DECODER: Schema = {
  members: {
    ...fields('string', 'filename'),
    ...fields('int32', 'hidden_size num_attention_heads num_hidden_layers num_key_value_heads head_size'),
    session_options: [SESSION_OPTIONS],
    run_options: [{ members: {}, others: 'string' }],
    inputs: [INPUTS],
    outputs: [OUTPUTS],
  },
};

/** Model_Element */
const MODEL: Schema = {
  members: {
    ...fields('string', 'type tokenizer_dir'),
    ...fields('int32', 'vocab_size context_length pad_token_id bos_token_id sep_token_id'),
    eos_token_id: ['int32', { items: 'int32' }],
    decoder: [DECODER],
  },
};

/** Search_Element */
const SEARCH: Schema = {
  members: {
    ...fields('int32', 'min_length max_length batch_size num_beams num_return_sequences top_k random_seed'),
    ...fields('int32', 'no_repeat_ngram_size chunk_size'),
    ...fields('number', 'top_p temperature repetition_penalty length_penalty diversity_penalty'),
    ...fields('bool', 'do_sample past_present_share_buffer early_stopping'),
  },
};

const ROOT: Schema = { members: { model: [MODEL], search: [SEARCH] } };

/** Every place of a parsed genai_config.json that src/config.cpp refuses. */
export function genaiViolations(config: unknown): string[] {
  return violations(config, [ROOT], 'genai_config');
}

function violations(value: unknown, schemas: readonly Schema[], at: string): string[] {
  const found = schemas.map((schema) => violationsOfOne(value, schema, at));
  return found.find((none) => none.length === 0) ?? found[0]!;
}

function violationsOfOne(value: unknown, schema: Schema, at: string): string[] {
  if (typeof schema === 'string') return isOfType(value, schema) ? [] : [`${at}: no ${schema}`];
  if ('items' in schema) {
    if (!Array.isArray(value)) return [`${at}: no array`];
    return value.flatMap((item, i) => violations(item, [schema.items], `${at}[${i}]`));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${at}: no object`];
  return Object.entries(value).flatMap(([key, member]) => {
    const known = schema.members[key] ?? (schema.others && [schema.others]);
    return known === undefined ? [`${at}.${key}: unknown`] : violations(member, known, `${at}.${key}`);
  });
}

function isOfType(value: unknown, type: 'string' | 'int32' | 'number' | 'bool'): boolean {
  if (type === 'int32') return typeof value === 'number' && (value | 0) === value;
  return typeof value === (type === 'bool' ? 'boolean' : type);
}
