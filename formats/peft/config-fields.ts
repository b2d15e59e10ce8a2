/**
 * Fields of adapter_config.json that are read elsewhere, or change nothing of what a saved adapter computes.
 */
export const INERT_FIELDS: ReadonlySet<string> = new Set([
  // Read by `parseAdapterConfig`.
  ...['peft_type', 'r', 'lora_alpha', 'use_rslora', 'use_dora', 'rank_pattern', 'alpha_pattern'],
  'init_lora_weights',
  // Where the adapter comes from.
  ...['auto_mapping', 'base_model_name_or_path', 'revision', 'peft_version', 'task_type', 'inference_mode'],
  // Which modules were trained: the tensors of the adapter name them.
  ...['target_modules', 'exclude_modules', 'layers_to_transform', 'layers_pattern'],
  // How they were trained.
  ...['lora_dropout', 'velora_config', 'monteclora_config', 'runtime_config', 'ensure_weight_tying'],
  // Settings of an `init_lora_weights` or of a field that is refused by its own name.
  ...['loftq_config', 'eva_config', 'corda_config', 'lora_ga_config', 'qalora_group_size', 'megatron_core'],
  // Of the first versions of PEFT.
  'merge_weights',
]);

/**
 * Fields that make an adapter another function than W + scale B A, the value that turns them off, and why.
 */
export const UNMERGEABLE_FIELDS: ReadonlyMap<string, { readonly off?: unknown; readonly reason: string }> =
  new Map(
    Object.entries({
      bias: { off: 'none', reason: 'trains biases, which a PLM does not have' },
      lora_bias: { reason: 'adds biases, which a PLM does not have' },
      fan_in_fan_out: { reason: 'is for matrices that are stored transposed, which those of a PLM are not' },
      modules_to_save: { reason: 'replaces whole modules' },
      trainable_token_indices: { reason: 'replaces rows of the embedding' },
      target_parameters: { reason: 'adapts parameters that are not linear layers' },
      layer_replication: { reason: 'builds a model of more layers, which share weights' },
      alora_invocation_tokens: { reason: 'acts only after its invocation tokens, so it cannot be merged' },
      use_qalora: { reason: 'pools the inputs of B A' },
      use_bdlora: { reason: 'stores A or B as blocks of a diagonal' },
      kasa_config: { reason: 'truncates the weights of the base model' },
      arrow_config: { reason: 'routes each token to one of several adapters' },
      megatron_config: { reason: 'is for layers of Megatron' },
      enable_lora: { reason: 'adapts parts of a fused matrix' },
    }),
  );
