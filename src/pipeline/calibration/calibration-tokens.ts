import { type Chunk, chunkSize, cutChunks } from '../../../calibration/chunks.ts';
import { tokenCount } from '../../../calibration/statistics-runtime.ts';
import { datasetName } from '../../../formats/imatrix/entries.ts';
import { invalidInput } from '../../core/errors.ts';
import type { Model } from '../../core/model.ts';
import { assertContext } from '../../runtime/plm-runtime.ts';
import { Tokenizer } from '../../tokenizer/tokenizer.ts';
import { encodeTexts } from '../sources/read-text.ts';
import type { CalibrationText } from './calibration-text.ts';

export interface ChunkingOptions {
  /** Most tokens of all texts. Left out: all. */
  readonly maxTokens?: number | undefined;
  /**
   * Tokens of a chunk, each of which is read without a past. Left out: 512, or fewer where the model knows
   * fewer.
   */
  readonly contextLength?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Texts as a calibration reads them. */
export interface CalibrationTokens {
  readonly chunks: readonly Chunk[];
  readonly chunkSize: number;
  readonly tokens: number;
  /** The texts of which anything is read; of paths the base names. Passages of one text stand once. */
  readonly read: readonly { readonly name: string; readonly weight: number }[];
  /** Notes for the user, one line each. */
  readonly notes: readonly string[];
}

/** More tokens per character than any script takes that a tokenizer was trained on: it falls back to bytes. */
const TOKENS_PER_CHARACTER = 1.5;

/**
 * @throws PressError invalid-input for fewer than two tokens; usage for chunks of more positions than the
 * model knows.
 */
export async function calibrationTokens(
  model: Model,
  texts: readonly CalibrationText[],
  { maxTokens = Infinity, contextLength, signal }: ChunkingOptions,
): Promise<CalibrationTokens> {
  const tokenizer = new Tokenizer(model.tokenizer);
  // Templates spell every token that they want, bos too.
  const chatTokenizer = model.tokenizer.addBosToken
    ? new Tokenizer({ ...model.tokenizer, addBosToken: false })
    : tokenizer;
  const size = contextLength ?? chunkSize(model);
  assertContext(model.config, size);
  const chunks: Chunk[] = [];
  const read: { name: string; weight: number }[] = [];
  const notes = new Set<string>();
  let left = maxTokens;
  for (const { name: given, text, weight = 1, chat = false, optional = false } of texts) {
    const name = datasetName(given);
    const ids = await encodeTexts(chat ? chatTokenizer : tokenizer, [text], left, signal, { special: chat });
    const share = ids.length / [...tokenizer.decode(ids)].length;
    if (share > TOKENS_PER_CHARACTER) {
      if (optional) continue;
      notes.add(
        `${name} takes ${share.toFixed(1)} tokens per character: the model hardly knows its script, so its statistics may not fit other texts`,
      );
    }
    left -= ids.length;
    const isNew = !read.some((other) => other.name === name && other.weight === weight);
    if (ids.length > 0 && isNew) read.push({ name, weight });
    chunks.push(...cutChunks({ ids, weight }, size));
  }
  const tokens = tokenCount(chunks);
  if (tokens < 2) throw invalidInput({ what: 'tokens of text', got: tokens, expected: 'at least 2' });
  return { chunks, chunkSize: size, tokens, read, notes: [...notes] };
}
