import {
  type ControlledEvaluateInputItem,
  getLlama,
  type Llama,
  LlamaLogLevel,
  LlamaLogLevelGreaterThanOrEqual,
  type Token,
} from 'node-llama-cpp';

/** A GGUF file opened by real llama.cpp on the CPU. */
export interface LlamaFile {
  /** Next-token logits after each of `ids`. */
  logits(ids: readonly number[]): Promise<Float64Array[]>;
  /** The `count` likeliest tokens one after the other; does not stop at ends of generation. */
  greedy(ids: readonly number[], count: number): Promise<number[]>;
  /** Sends tokens through the model in one batch, from a state without a past. */
  prefill(ids: readonly number[]): Promise<void>;
  tokenize(text: string, special: boolean): number[];
  /** `llama_vocab_is_eog`. */
  isEndOfGeneration(id: number): boolean;
  /** What the library has said since the file was opened. It comes late: ask after the first logits. */
  log(): string;
  dispose(): Promise<void>;
}

export interface LlamaOptions {
  /** Default 256. */
  readonly contextSize?: number;
  /** Default false: arch plm aborts the process with it in this version of llama.cpp. */
  readonly flashAttention?: boolean;
  /** Default 1. */
  readonly threads?: number;
}

let library: Promise<Llama> | undefined;

/** What the library has said since the last file was opened, in pieces. */
let logged = '';

/** The prebuilt library inside the package: nothing is built or downloaded, and only errors are printed. */
function llama(): Promise<Llama> {
  library ??= getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    logLevel: LlamaLogLevel.info,
    logger(level, message) {
      logged += `${message}\n`;
      if (LlamaLogLevelGreaterThanOrEqual(level, LlamaLogLevel.error)) process.stderr.write(`${message}\n`);
    },
  });
  return library;
}

export async function openInLlama(file: string, options: LlamaOptions = {}): Promise<LlamaFile> {
  const { contextSize = 256, flashAttention = false, threads = 1 } = options;
  logged = '';
  const model = await (await llama()).loadModel({ modelPath: file, gpuLayers: 0 });
  const context = await model.createContext({
    contextSize,
    batchSize: contextSize,
    threads,
    flashAttention,
  });
  const sequence = context.getSequence();
  const evaluate = async (ids: readonly number[]): Promise<Float64Array[]> => {
    const input = ids.map(
      (id): ControlledEvaluateInputItem => [id as Token, { generateNext: { logits: true } }],
    );
    const outputs = await sequence.controlledEvaluate(input);
    return outputs.map((output) => {
      const row = new Float64Array(output!.next.logits!.size);
      for (const [token, logit] of output!.next.logits!) row[token] = logit;
      return row;
    });
  };
  return {
    async logits(ids) {
      await sequence.clearHistory();
      return evaluate(ids);
    },
    async greedy(ids, count) {
      await sequence.clearHistory();
      const generated: number[] = [];
      let next: readonly number[] = ids;
      while (generated.length < count) {
        const last = (await evaluate(next)).at(-1)!;
        const best = last.indexOf(last.reduce((a, b) => Math.max(a, b)));
        generated.push(best);
        next = [best];
      }
      return generated;
    },
    async prefill(ids) {
      await sequence.clearHistory();
      await sequence.controlledEvaluate([
        ...ids.slice(0, -1).map(Number),
        [ids.at(-1) as Token, { generateNext: { token: true } }],
      ] as ControlledEvaluateInputItem[]);
    },
    log: () => logged,
    tokenize: (text, special) => model.tokenize(text, special).map(Number),
    isEndOfGeneration: (id) => model.isEogToken(id as Token),
    async dispose() {
      await context.dispose();
      await model.dispose();
    },
  };
}
