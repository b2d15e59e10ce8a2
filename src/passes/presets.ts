/**
 * Passes that a target runs by itself, in this order, where a model needs them: llama.cpp rotates neighbouring dimensions
 * together, and attends in deepseek2 with the two parts of kv_b_proj.
 */
export const PRESETS = {
  'gguf, arch plm': ['permute-rope'],
  'gguf, arch deepseek2': ['permute-rope', 'absorb-mla'],
} as const satisfies Readonly<Record<string, readonly string[]>>;
