import type { Model } from '../../core/model.ts';
import { readText } from '../sources/read-text.ts';
import { bundledTexts, type CalibrationText } from './calibration-text.ts';
import { calibrationTokens } from './calibration-tokens.ts';
import { type LiveOptions, LiveStatistics } from './live-statistics.ts';

export interface LiveText {
  /** Paths of texts. Left out: the text that plmpress brings. */
  readonly files?: readonly string[] | undefined;
  /** Most tokens that are read. Left out: all. */
  readonly maxTokens?: number | undefined;
}

/**
 * Statistics that are measured on a text while weights are converted. Nothing but the text is read before.
 * @throws PressError as `readText` and `calibrationTokens` do.
 */
export async function openLiveStatistics(
  model: Model,
  { files, maxTokens }: LiveText,
  options: LiveOptions,
): Promise<LiveStatistics> {
  const { signal, progress } = options;
  const texts =
    files === undefined ? await bundledTexts(model.tokenizer) : await Promise.all(files.map(readNamed));
  const tokens = await calibrationTokens(model, texts, { maxTokens, signal });
  for (const message of tokens.notes) progress?.({ kind: 'note', message });
  return new LiveStatistics(model, tokens, options);
}

async function readNamed(file: string): Promise<CalibrationText> {
  return { name: file, text: await readText(file) };
}
