import { getLlama, LlamaLogLevel, type Token } from 'node-llama-cpp';
import type { Decoder, DecoderOptions } from './decoder.ts';

export interface LlamaDecoderOptions extends DecoderOptions {
  readonly flashAttention: boolean;
}

/** A GGUF file in llama.cpp on the CPU, prefilled with tokens. */
export async function openLlamaDecoder(file: string, options: LlamaDecoderOptions): Promise<Decoder> {
  const { threads, contextLength, flashAttention } = options;
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    logLevel: LlamaLogLevel.error,
  });
  const model = await llama.loadModel({ modelPath: file, gpuLayers: 0 });
  const contextSize = contextLength + 1;
  const context = await model.createContext({ contextSize, batchSize: 512, threads, flashAttention });
  const sequence = context.getSequence();
  const id = (position: number) => ((position * 377) % 2000) as Token;
  return {
    async fill(tokens) {
      const filled = sequence.nextTokenIndex;
      const missing = Array.from({ length: tokens - filled }, (_, i) => id(filled + i));
      await sequence.evaluateWithoutGeneratingNewTokens(missing);
    },
    async decode() {
      const position = sequence.nextTokenIndex;
      const start = performance.now();
      await sequence.controlledEvaluate([[id(position), { generateNext: { token: true } }]]);
      const milliseconds = performance.now() - start;
      await sequence.eraseContextTokenRanges([{ start: position, end: position + 1 }]);
      return milliseconds;
    },
    async close() {
      await context.dispose();
      await model.dispose();
    },
  };
}
