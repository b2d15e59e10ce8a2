import { SAMPLE_TEXT } from '../../../calibration/sample-text.ts';
import { invalidInput } from '../../core/errors.ts';
import type { Model } from '../../core/model.ts';
import { Tokenizer } from '../../tokenizer/tokenizer.ts';
import { encodeTexts } from '../sources/read-text.ts';
import type { AllocationRequest } from './request.ts';

const DEFAULT_TOKENS = 2048;

/**
 * Tokens that the costs of tensors are measured over.
 * @throws PressError invalid-input for fewer than two.
 */
export async function measuredIds(
  { tokenizer }: Model,
  {
    texts = [SAMPLE_TEXT],
    maxTokens = DEFAULT_TOKENS,
    signal,
  }: Pick<AllocationRequest, 'texts' | 'maxTokens' | 'signal'>,
): Promise<readonly number[]> {
  const ids = await encodeTexts(new Tokenizer(tokenizer), texts, maxTokens, signal);
  if (ids.length < 2) throw invalidInput({ what: 'tokens of text', got: ids.length, expected: 'at least 2' });
  return ids;
}
