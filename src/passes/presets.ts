/**
 * Passes that a target runs by itself, in this order, where a model needs them: llama.cpp rotates
 * neighbouring dimensions together; deepseek2 and graphs with a latent cache attend with the two parts of
 * kv_b_proj, all others with the whole.
 */
export const PRESETS = {
  'gguf, arch plm': ['permute-rope', 'join-kv-b'],
  'gguf, arch deepseek2': ['permute-rope', 'absorb-mla'],
  'onnx, latent cache': ['absorb-mla'],
  'onnx, expanded cache': ['join-kv-b'],
  webgpu: ['join-kv-b'],
} as const satisfies Readonly<Record<string, readonly string[]>>;
