import { InferenceSession, Tensor } from 'onnxruntime-node';
import { BATCH } from '../formats/onnx/graph/inputs.ts';
import { uniform } from '../test/support/samples.ts';
import type { Decoder, DecoderOptions } from './decoder.ts';

/** What caches are filled with: a few hundredths, as normed latents times weights are. Any numbers take the same time. */
const MAGNITUDE = 0.05;

/** A graph of plmpress in ONNX Runtime on the CPU. Its caches are random numbers, given as inputs of the session. */
export async function openOnnxDecoder(file: string, { threads }: DecoderOptions): Promise<Decoder> {
  const session = await InferenceSession.create(file, { intraOpNumThreads: threads, logSeverityLevel: 3 });
  let feeds: Record<string, Tensor> = {};
  return {
    async fill(tokens) {
      feeds = { ...inputsBehind(tokens), ...randomCaches(session, tokens) };
    },
    async decode() {
      const start = performance.now();
      await session.run(feeds);
      return performance.now() - start;
    },
    close: () => session.release(),
  };
}

function inputsBehind(tokens: number): Record<string, Tensor> {
  const integers = (values: readonly number[], shape: readonly number[]) =>
    new Tensor('int64', BigInt64Array.from(values, BigInt), shape);
  return {
    input_ids: integers([1], [1, 1]),
    attention_mask: integers(Array<number>(tokens + 1).fill(1), [1, tokens + 1]),
    position_ids: integers([tokens], [1, 1]),
    num_logits_to_keep: integers([1], [1]),
  };
}

function randomCaches(session: InferenceSession, tokens: number): Record<string, Tensor> {
  const next = uniform(1);
  const caches: Record<string, Tensor> = {};
  for (const input of session.inputMetadata) {
    if (!input.name.startsWith('past_key_values.') || !input.isTensor) continue;
    const shape = input.shape.map((size) => (typeof size === 'number' ? size : size === BATCH ? 1 : tokens));
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
    for (let i = 0; i < values.length; i++) values[i] = MAGNITUDE * next();
    caches[input.name] = new Tensor('float32', values, shape);
  }
  return caches;
}
