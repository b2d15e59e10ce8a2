import type { PlmConfig } from '../core/config.ts';
import { invalidInput } from '../core/errors.ts';

/** @throws PressError invalid-input for ids outside the embedding. */
export function assertIds(ids: ArrayLike<number>, { vocabSize }: PlmConfig): void {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
      throw invalidInput({ what: 'token id', got: id, expected: `0 to ${vocabSize - 1}` });
    }
  }
}
