/**
 * Passes that a target runs by itself, in this order, where a model needs them: llama.cpp rotates neighbouring dimensions
 * together; deepseek2 and graphs with a latent cache attend with the two parts of kv_b_proj.
 */
export const PRESETS = {
  'gguf, arch plm': ['permute-rope'],
  'gguf, arch deepseek2': ['permute-rope', 'absorb-mla'],
  'onnx, latent cache': ['absorb-mla'],
  'onnx, expanded cache': [],
} as const satisfies Readonly<Record<string, readonly string[]>>;
