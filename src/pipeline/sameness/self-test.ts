import { SAMPLE_TEXT } from '../../../calibration/sample-text.ts';
import type { SelfTester } from '../../../formats/webgpu/self-tester.ts';
import type { Model } from '../../core/model.ts';
import { descending } from '../../runtime/sampling/descending.ts';
import { streamedBytes, streamedLogits } from '../../runtime/streamed-logits.ts';
import { Tokenizer } from '../../tokenizer/tokenizer.ts';
import type { SelfTest } from '../../webgpu/manifest.ts';
import { encodeTexts } from '../sources/read-text.ts';

/** As many as a damaged layer shows in, and few enough to be computed at every start of a page. */
const PROMPT_TOKENS = 12;
/** Of the likeliest tokens and of all others, from the first to the last. */
const HELD_LOGITS = 8;
/** Of the root mean square. Caches in f16 and other orders of summation leave some thousandths. */
const TOLERANCE = 0.02;

/** What a bundle's weights compute of a short text, under a bound on memory that they need not fit into. */
export const selfTest: SelfTester = {
  bytes: (model) => streamedBytes(model, promptLength(model)),
  async compute(model, { threads, signal, progress }) {
    const tokenizer = new Tokenizer(model.tokenizer);
    const prompt = await encodeTexts(tokenizer, [SAMPLE_TEXT], promptLength(model), signal);
    const options = { threads, signal, progress };
    return selfTestOf(prompt, await streamedLogits(model, prompt, options));
  },
};

function promptLength({ config }: Model): number {
  return Math.min(PROMPT_TOKENS, config.maxPositionEmbeddings);
}

/** The test of a prompt, of the logits after each of its tokens. */
function selfTestOf(prompt: readonly number[], rows: readonly Float32Array[]): SelfTest {
  const leaders = rows.map((row) => [...descending(Float64Array.from(row), 2)]);
  const isClose = (index: number) => {
    const [row, [first, second]] = [rows[index]!, leaders[index]!];
    return row[first!]! - row[second ?? first!]! < 2 * TOLERANCE * rms(row);
  };
  return {
    prompt,
    likeliest: leaders.map(([first]) => first!),
    close: [...rows.keys()].filter(isClose),
    logits: heldLogits(rows.at(-1)!),
  };
}

function heldLogits(row: Float32Array): SelfTest['logits'] {
  const half = HELD_LOGITS / 2;
  const spread = Array.from({ length: half }, (_, i) => Math.floor((i * (row.length - 1)) / (half - 1)));
  const ids = [...new Set([...descending(Float64Array.from(row), half), ...spread])];
  const size = rms(row);
  return {
    ids,
    values: ids.map((id) => short(row[id]!)),
    rms: short(size),
    tolerance: short(TOLERANCE * size),
  };
}

function rms(row: Float32Array): number {
  return Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / row.length);
}

/** To the digits that an f32 has. */
function short(value: number): number {
  return Number(value.toPrecision(7));
}
