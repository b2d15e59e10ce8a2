import type { Decoder } from './decoder.ts';
import type { Decoded, DecoderCommand, DecoderRequest } from './decoder-process.ts';
import { openLlamaDecoder } from './llama-decoder.ts';
import { openOnnxDecoder } from './onnx-decoder.ts';

/**
 * The side of bench/decoder-process.ts that does the work: answers each command, and goes when its parent
 * lets go.
 */
const request: DecoderRequest = JSON.parse(process.argv[2]!);
const decoder = await open(request);
process.on('disconnect', () => decoder.close());
process.on('message', async (command: DecoderCommand) => {
  if ('fill' in command) await decoder.fill(command.fill);
  process.send!('decode' in command ? await decodeTimes(command.decode) : {});
});
process.send!({});

function open({ engine, file, ...options }: DecoderRequest): Promise<Decoder> {
  if (engine === 'onnxruntime') return openOnnxDecoder(file, options);
  // llama.cpp aborts with flash attention on arch plm.
  return openLlamaDecoder(file, { ...options, flashAttention: false });
}

async function decodeTimes(times: number): Promise<Decoded> {
  let [milliseconds, residentBytes] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let i = 0; i < times; i++) {
    milliseconds = Math.min(milliseconds, await decoder.decode());
    residentBytes = Math.min(residentBytes, process.memoryUsage().rss);
  }
  return { milliseconds, residentBytes };
}
