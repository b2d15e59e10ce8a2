import { InferenceSession, Tensor } from 'onnxruntime-node';
import { BATCH } from '../formats/onnx/graph/inputs.ts';
import { loadOnnxRuntime } from '../src/pipeline/engines/onnxruntime.ts';
import { uniform } from '../test/support/builders/samples.ts';
import type { Decoder, DecoderOptions } from './decoder.ts';

// Settles what tensors of float16 hold, for everyone who imports the package.
await loadOnnxRuntime();

/**
 * What caches are filled with: a few hundredths, as normed latents times weights are. Any numbers take the
 * same time.
 */
const MAGNITUDE = 0.05;

const CACHE = /^(past_key_values|present)\./;

/**
 * A graph of plmpress in ONNX Runtime on the CPU. Caches are random numbers in tensors given as inputs; those
 * that come out go into tensors that are kept, for fresh pages of memory would take longer than the graph.
 */
export async function openOnnxDecoder(file: string, { threads }: DecoderOptions): Promise<Decoder> {
  const session = await InferenceSession.create(file, { intraOpNumThreads: threads, logSeverityLevel: 3 });
  let feeds: InferenceSession.FeedsType = {};
  let fetches: InferenceSession.NullableOnnxValueMapType = {};
  return {
    async fill(tokens) {
      const next = uniform(1);
      feeds = { ...inputsBehind(tokens), ...caches(session.inputMetadata, tokens, () => MAGNITUDE * next()) };
      fetches = { logits: null, ...caches(session.outputMetadata, tokens + 1, () => 0) };
    },
    async decode() {
      const start = performance.now();
      await session.run(feeds, fetches);
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

/** Tensors for those of a graph's inputs or outputs that are caches of so many tokens. */
function caches(
  metadata: readonly InferenceSession.ValueMetadata[],
  tokens: number,
  fill: () => number,
): Record<string, Tensor> {
  const filled: Record<string, Tensor> = {};
  for (const value of metadata) {
    if (!value.isTensor || !CACHE.test(value.name)) continue;
    const shape = value.shape.map((size) => (typeof size === 'number' ? size : size === BATCH ? 1 : tokens));
    const numbers = new Float32Array(shape.reduce((product, size) => product * size, 1));
    for (let i = 0; i < numbers.length; i++) numbers[i] = fill();
    filled[value.name] = new Tensor('float32', numbers, shape);
  }
  return filled;
}
