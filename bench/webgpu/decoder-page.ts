import type { Page } from 'playwright-core';

/** What a page continues, always by the likeliest token. Stop tokens do not end it. */
export interface DecoderTask {
  readonly prompt: string;
  readonly tokens: number;
}

/** When the first token and the last were there, in milliseconds, and how many came between. */
interface Answered {
  readonly first: number;
  readonly last: number;
  readonly more: number;
}

/** A loaded model in a page. */
interface PageDecoder {
  decode(task: DecoderTask): Promise<Answered>;
}

declare global {
  var decoder: PageDecoder;
  /** The module that a page's decoder comes from. */
  var library: unknown;
}

/** What loads a model in a page; each sees nothing but its argument. */
const LOADERS = { bundle, transformers, wllama } as const;

export interface DecoderRequest {
  readonly loader: keyof typeof LOADERS;
  /** A folder, or a file, under /models. */
  readonly model: string;
}

/** Loads a model into a page, where it stays. */
export async function loadDecoder(page: Page, { loader, model }: DecoderRequest): Promise<void> {
  const urls: Readonly<Record<keyof typeof LOADERS, string>> = {
    bundle: `/models/${model}/runtime.js`,
    transformers: '@huggingface/transformers',
    wllama: '/node_modules/@wllama/wllama/esm/index.js',
  };
  // As text: compilers would put a helper of theirs around the import of a variable.
  await page.evaluate(`import('${urls[loader]}').then((module) => { globalThis.library = module; })`);
  await page.evaluate(LOADERS[loader], model);
}

/** Tokens a second behind the first one, which waits for the prompt. */
export async function tokensPerSecond(page: Page, task: DecoderTask): Promise<number> {
  const { first, last, more } = await page.evaluate((task) => globalThis.decoder.decode(task), task);
  if (more !== task.tokens - 1) throw new Error(`${more + 1} tokens instead of ${task.tokens}`);
  return (1000 * more) / (last - first);
}

/** Our runtime.js, as the page of the bundle uses it. */
async function bundle(model: string): Promise<void> {
  const { load } = globalThis.library as typeof import('../../src/webgpu/runtime.ts');
  const loaded = await load(`/models/${model}/`, { cache: false });
  globalThis.decoder = {
    async decode({ prompt, tokens }) {
      const times: number[] = [];
      for await (const { ids } of loaded.generate(prompt, { maxTokens: tokens, temperature: 0 })) {
        for (const _ of ids) times.push(performance.now());
      }
      return { first: times[0]!, last: times.at(-1)!, more: times.length - 1 };
    },
  };
}

/** ONNX Runtime's WebGPU provider. */
async function transformers(model: string): Promise<void> {
  const { pipeline, TextStreamer } = globalThis.library as typeof import('@huggingface/transformers');
  const generator = await pipeline('text-generation', model, { device: 'webgpu', dtype: 'q4' });
  globalThis.decoder = {
    async decode({ prompt, tokens }) {
      const times: number[] = [];
      const streamer = new TextStreamer(generator.tokenizer, {
        skip_prompt: true,
        callback_function: () => {},
        token_callback_function: () => void times.push(performance.now()),
      });
      const length = { max_new_tokens: tokens, min_new_tokens: tokens };
      await generator(prompt, { ...length, do_sample: false, streamer });
      return { first: times[0]!, last: times.at(-1)!, more: times.length - 1 };
    },
  };
}

/** llama.cpp in WebAssembly on the CPU, on as many threads as there are processors. */
async function wllama(model: string): Promise<void> {
  type Library = typeof import('@wllama/wllama/esm/wllama.js');
  const { Wllama, LoggerWithoutDebug } = globalThis.library as Library;
  const wasm = '/node_modules/@wllama/wllama/esm/wasm/wllama.wasm';
  const loaded = new Wllama({ default: wasm }, { suppressNativeLog: true, logger: LoggerWithoutDebug });
  const file = await (await fetch(`/models/${model}`)).blob();
  await loaded.loadModel([file], {
    n_ctx: 1024,
    n_gpu_layers: 0,
    flash_attn: false,
    n_threads: navigator.hardwareConcurrency,
  });
  globalThis.decoder = {
    async decode({ prompt, tokens }) {
      const times: number[] = [];
      const options = { max_tokens: tokens, temperature: 0, ignore_eos: true } as const;
      for await (const { choices } of await loaded.createCompletion({ prompt, ...options, stream: true })) {
        if (choices[0]?.finish_reason == null) times.push(performance.now());
      }
      return { first: times[0]!, last: times.at(-1)!, more: times.length - 1 };
    },
  };
}
