import path from 'node:path';
import { chunkSize, collectStatistics, cutChunks } from '../../calibration/collect.ts';
import { statisticSlots, statistics } from '../../calibration/statistics.ts';
import { encodeImatrix, imatrixBytes } from '../../formats/imatrix/writer.ts';
import { invalidInput } from '../core/errors.ts';
import type { Model } from '../core/model.ts';
import type { Progress } from '../core/progress.ts';
import { withStagedOutput } from '../io/staged-output.ts';
import { Tokenizer } from '../tokenizer/tokenizer.ts';
import { inputPaths } from './input-paths.ts';
import { encodeTexts } from './read-text.ts';

export interface CalibrationText {
  /** What the statistics call it. */
  readonly name: string;
  readonly text: string;
}

export interface CalibrateOptions {
  readonly model: Model;
  /** Path that `model` was opened from: a folder or a file. */
  readonly source: string;
  readonly texts: readonly CalibrationText[];
  /** Paths of the texts: the output never replaces them. */
  readonly inputs?: readonly string[];
  /** File to write; its folder is created where missing. */
  readonly output: string;
  /** Replace the file. */
  readonly force?: boolean;
  /** Most tokens of all texts. Default: all. */
  readonly maxTokens?: number;
  /** Tokens of a chunk, each of which is read without a past. Default 512, or fewer where the model knows fewer. */
  readonly contextLength?: number;
  /** Default: all cores. Bytes do not depend on it. */
  readonly threads?: number;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

export interface Calibration {
  readonly tokens: number;
  readonly chunks: number;
  readonly chunkSize: number;
  /** Time of loading and running the model. */
  readonly seconds: number;
  readonly tokensPerSecond: number;
  /** By layer: the part of the neurons of the FFN that a token sets off, on average. */
  readonly firingRates: readonly number[];
  /** Neurons by layer that no token set off. */
  readonly silentNeurons: readonly number[];
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Runs the model over texts and writes the statistics of its activations.
 * @throws PressError usage for a context that the model does not know; invalid-input for fewer than two tokens and for
 * activations that are not finite; local-io and locked as the commit protocol of src/io does.
 */
export async function calibrate(options: CalibrateOptions): Promise<Calibration> {
  const { model, texts, output, force = false, threads, signal, progress } = options;
  const ids = encodeAll(model, texts, options.maxTokens ?? Infinity);
  const size = options.contextLength ?? chunkSize(model);
  const chunks = cutChunks(ids, size);
  const tokens = ids.reduce((sum, text) => sum + text.length, 0);
  if (tokens < 2) throw invalidInput({ what: 'tokens of text', got: tokens, expected: 'at least 2' });
  const calibrated = {
    datasets: texts.flatMap(({ name }, index) => (ids[index]!.length > 0 ? [name] : [])),
    ...{ chunks: chunks.length, chunkSize: size },
  };
  const slots = statisticSlots(model.config);
  const name = path.basename(output);

  return withStagedOutput(path.dirname(output), async (staged) => {
    const inputs = [...(await inputPaths(model, options.source)), ...(options.inputs ?? [])];
    await staged.stage([{ name, bytes: imatrixBytes(calibrated, slots) }], { force, inputs });
    const start = performance.now();
    const sums = await collectStatistics(model, chunks, {
      contextLength: size,
      ...(threads && { threads }),
      ...(signal && { signal }),
      ...(progress && { progress }),
    });
    const seconds = (performance.now() - start) / 1000;
    await staged.write(name, encodeImatrix(calibrated, statistics(model.config, sums), tokens), 0);
    const [digest] = await staged.seal(signal && { signal });
    signal?.throwIfAborted();
    await staged.publish();
    const firings = sums.layers.map((layer) => layer.firings);
    return {
      ...{ tokens, chunks: chunks.length, chunkSize: size, seconds, tokensPerSecond: tokens / seconds },
      firingRates: firings.map((counts) => counts.reduce((a, b) => a + b, 0) / (counts.length * tokens)),
      silentNeurons: firings.map((counts) => counts.filter((count) => count === 0).length),
      ...{ bytes: digest!.bytes, sha256: digest!.sha256 },
    };
  });
}

function encodeAll(model: Model, texts: readonly CalibrationText[], maxTokens: number): number[][] {
  const tokenizer = new Tokenizer(model.tokenizer);
  let left = maxTokens;
  return texts.map(({ text }) => {
    const ids = encodeTexts(tokenizer, [text], left);
    left -= ids.length;
    return ids;
  });
}
