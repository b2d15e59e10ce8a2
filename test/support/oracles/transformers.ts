import type { Dtype } from '../../../formats/onnx/folder/graph-file.ts';

/**
 * What transformers.js does with a model. `continuations` and `logitsOf` see nothing but their argument, so
 * that they run in this process and, by `page.evaluate`, in a page.
 */
export interface LoadedModel {
  /** Its folder among the models. */
  readonly name: string;
  /** What Node and browsers call their processors: only Node has `cpu`, only browsers have `wasm`. */
  readonly device: 'cpu' | 'wasm' | 'webgpu';
  /** Left out: config.json chooses. */
  readonly dtype?: Dtype;
  readonly session?: { readonly logSeverityLevel: 0 | 1 | 2 | 3 };
}

/** Lets transformers.js, in this process, find the folders of models in `folder` and nothing else. */
export async function useModels(folder: string): Promise<void> {
  const { env } = await import('@huggingface/transformers');
  Object.assign(env, { allowRemoteModels: false, localModelPath: folder, useFSCache: false });
}

/** A text, or messages for the chat template. */
export type Prompt = string | { role: string; content: string }[];

/** What a session takes and gives, as far as it is looked at. */
type SessionTensors = Readonly<
  Record<string, { readonly dims: readonly number[]; readonly location: string }>
>;

/** One run of a session. */
export interface Run {
  /** Tokens that went in. */
  readonly tokens: number;
  /** Tokens that the caches held. */
  readonly past: number;
  /** Positions whose logits came out. */
  readonly logits: number;
  /** Where the first cache came out: `cpu` or `gpu-buffer`. */
  readonly cache: string;
}

/** The most probable continuation of a prompt, without the prompt. */
export interface Continuation {
  readonly text: string;
  readonly ids: readonly number[];
  readonly runs: readonly Run[];
}

/** Continues prompts with a model that is loaded once, and tells which dtype was loaded. */
export async function continuations(task: {
  readonly model: LoadedModel;
  readonly prompts: readonly Prompt[];
  readonly tokens: number;
}): Promise<{ readonly dtype: Dtype; readonly continuations: readonly Continuation[] }> {
  const { pipeline, TextStreamer } = await import('@huggingface/transformers');
  const { name, device, dtype, session: session_options = {} } = task.model;
  const generator = await pipeline('text-generation', name, {
    device,
    session_options,
    ...(dtype && { dtype }),
  });
  try {
    let [ids, runs]: [number[], Run[]] = [[], []];
    const session = generator.model.sessions.model;
    const run = session.run.bind(session);
    session.run = async (feeds: SessionTensors) => {
      const outputs: SessionTensors = await run(feeds);
      runs.push({
        tokens: feeds.input_ids!.dims[1]!,
        past: feeds['past_key_values.0.key']!.dims[2]!,
        logits: outputs.logits!.dims[1]!,
        cache: outputs['present.0.key']!.location,
      });
      return outputs;
    };
    const streamer = () =>
      new TextStreamer(generator.tokenizer, {
        skip_prompt: true,
        callback_function: () => {},
        token_callback_function: (tokens) => ids.push(...tokens.map(Number)),
      });
    const results: Continuation[] = [];
    for (const prompt of task.prompts) {
      [ids, runs] = [[], []];
      const [output] = await generator(prompt, {
        max_new_tokens: task.tokens,
        do_sample: false,
        return_full_text: false,
        streamer: streamer(),
      });
      const generated = output!.generated_text;
      const text = typeof generated === 'string' ? generated : (generated.at(-1)!.content as string);
      results.push({ text, ids, runs });
    }
    return { dtype: session.config.dtype, continuations: results };
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
  const options = { device, session_options: session, ...(dtype && { dtype }) };
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

/** What `logitsOf` gives, a row per position. */
export function logitRows({ logits, shape }: Awaited<ReturnType<typeof logitsOf>>): Float32Array[] {
  const [, positions, width] = shape as [number, number, number];
  return Array.from({ length: positions }, (_, row) =>
    Float32Array.from(logits.slice(row * width, (row + 1) * width)),
  );
}
