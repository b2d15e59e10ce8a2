/**
 * What transformers.js does with a model. `continuation` and `logitsOf` see nothing but their argument, so that they run in
 * this process and, by `page.evaluate`, in a page.
 */
export interface LoadedModel {
  /** Its folder among the models. */
  readonly name: string;
  /** What Node and browsers call their processors: only Node has `cpu`, only browsers have `wasm`. */
  readonly device: 'cpu' | 'wasm' | 'webgpu';
  readonly dtype: 'fp32' | 'fp16' | 'q8' | 'q4' | 'q4f16';
  readonly session?: { readonly logSeverityLevel: 0 | 1 | 2 | 3 };
}

/** Lets transformers.js, in this process, find the folders of models in `folder` and nothing else. */
export async function useModels(folder: string): Promise<void> {
  const { env } = await import('@huggingface/transformers');
  Object.assign(env, { allowRemoteModels: false, localModelPath: folder, useFSCache: false });
}

/** The most probable continuation of a prompt, without the prompt. */
export async function continuation(task: {
  readonly model: LoadedModel;
  readonly prompt: string;
  readonly tokens: number;
}): Promise<string> {
  const { pipeline } = await import('@huggingface/transformers');
  const { name, device, dtype, session = {} } = task.model;
  const generator = await pipeline('text-generation', name, { device, dtype, session_options: session });
  try {
    const options = { max_new_tokens: task.tokens, do_sample: false, return_full_text: false };
    const [output] = await generator(task.prompt, options);
    return output!.generated_text;
  } finally {
    await generator.dispose();
  }
}

/** Logits of every position, row after row, and their shape: 1, positions, vocabulary. */
export async function logitsOf(task: {
  readonly model: LoadedModel;
  readonly tokens: readonly number[];
}): Promise<{ readonly logits: readonly number[]; readonly shape: readonly number[] }> {
  const { AutoModelForCausalLM, Tensor } = await import('@huggingface/transformers');
  const { name, device, dtype, session = {} } = task.model;
  const options = { device, dtype, session_options: session };
  const model = await AutoModelForCausalLM.from_pretrained(name, options);
  try {
    const shape = [1, task.tokens.length];
    const { logits } = await model({
      input_ids: new Tensor('int64', BigInt64Array.from(task.tokens, BigInt), shape),
      attention_mask: new Tensor('int64', new BigInt64Array(task.tokens.length).fill(1n), shape),
    });
    return { logits: Array.from(logits.data), shape: logits.dims };
  } finally {
    await model.dispose();
  }
}
